package ingest_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"glassward/ingest"
)

// signIn gives a sign-in as diagnostic settings write it, about 2 KB, made up.
func signIn(n int) string {
	return fmt.Sprintf(`{"time":"2026-11-20T%02d:%02d:%02d.1234567Z","resourceId":"/tenants/0f4d2c1e-7a39-4b65-8d5e-3f1c9a7b2d40/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"SignInLogs","tenantId":"0f4d2c1e-7a39-4b65-8d5e-3f1c9a7b2d40","resultType":"0","resultSignature":"None","durationMs":0,"callerIpAddress":"203.0.113.%d","correlationId":"3c7e9a10-55d2-4f0b-9c1d-%012d","identity":"Ines Vermeulen","Level":4,"location":"NL","properties":{"id":"b8a1f6c2-90d4-4c3e-a7f5-%012d","createdDateTime":"2026-11-20T%02d:%02d:%02d.1234567+00:00","userDisplayName":"Ines Vermeulen","userPrincipalName":"ines.vermeulen@fabrikam.example","userId":"5d0b7c11-2e84-4f6a-b3c9-%012d","appId":"c44b4083-3bb0-49c1-b47d-974e53cbdf3c","appDisplayName":"Azure Portal","ipAddress":"203.0.113.%d","status":{"errorCode":0,"additionalDetails":"MFA requirement satisfied by claim in the token"},"clientAppUsed":"Browser","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36","deviceDetail":{"deviceId":"71e0f2aa-6b3d-4c58-9f10-2d8e4b6c7a91","operatingSystem":"Windows 10","browser":"Chrome 131.0.0","isCompliant":true,"isManaged":true,"trustType":"Hybrid Azure AD joined"},"location":{"city":"Utrecht","state":"Utrecht","countryOrRegion":"NL","geoCoordinates":{"latitude":52.0907,"longitude":5.1214}},"correlationId":"3c7e9a10-55d2-4f0b-9c1d-%012d","conditionalAccessStatus":"success","appliedConditionalAccessPolicies":[{"id":"9e2f41d7-08ab-4e7c-8a36-5c1b7d90e2f4","displayName":"Require MFA for all users","enforcedGrantControls":["Mfa"],"result":"success","conditionsSatisfied":3,"conditionsNotSatisfied":0}],"originalRequestId":"b8a1f6c2-90d4-4c3e-a7f5-%012d","isInteractive":true,"tokenIssuerType":"AzureAD","processingTimeInMilliseconds":187,"riskDetail":"none","riskLevelAggregated":"none","riskLevelDuringSignIn":"none","riskState":"none","riskEventTypes_v2":[],"resourceDisplayName":"Azure Resource Manager","resourceId":"797f4846-ba00-4fd7-ba43-dac1f8f63013","authenticationRequirementPolicies":[],"authenticationRequirement":"singleFactorAuthentication","userType":"Member","flaggedForReview":false,"autonomousSystemNumber":1136,"authenticationProtocol":"none"}}`,
		n/3600%24, n/60%60, n%60, n%256, n, n, n/3600%24, n/60%60, n%60, n%977, n%256, n, n)
}

func BenchmarkDecodeSignIn(b *testing.B) {
	var text bytes.Buffer
	const records = 20000
	for n := range records {
		text.WriteString(signIn(n))
		text.WriteByte('\n')
	}
	b.SetBytes(int64(text.Len() / records))
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	var batch ingest.Batch
	for done < b.N {
		d, err := ingest.NewDecoder(bytes.NewReader(text.Bytes()), ingest.DecoderOptions{Now: clock})
		if err != nil {
			b.Fatal(err)
		}
		for done < b.N {
			err := d.Next(&batch)
			if err == io.EOF {
				break
			}
			if err != nil || len(batch.Rejects)+len(batch.Warnings) > 0 {
				b.Fatal(err, batch.Rejects, batch.Warnings)
			}
			done += len(batch.Records)
		}
	}
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "records/s")
}
