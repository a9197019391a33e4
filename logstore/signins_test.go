package logstore_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
)

// A tenantOfUsers makes up sign-ins in the form in which diagnostic settings
// stream them, about 2 KB each: a few thousand people and applications, so
// that columns repeat as they do in life, and ids that never repeat.
type tenantOfUsers struct {
	rand *rand.Rand
	n    int
}

func newTenantOfUsers(seed uint64) *tenantOfUsers {
	return &tenantOfUsers{rand: rand.New(rand.NewPCG(seed, 7))}
}

func guid(hi, lo uint64) string {
	return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", uint32(hi>>32), uint16(hi>>16), uint16(hi)&0xfff, uint16(lo>>48)&0xfff, lo&0xffffffffffff)
}

// appendSignin adds one record as a line of JSON, without the line's end.
func (t *tenantOfUsers) appendSignin(line []byte) []byte {
	r := t.rand
	n := t.n
	t.n++
	user := r.Uint64N(8000)
	app := r.Uint64N(150)
	resource := r.Uint64N(60)
	ms := n * 40 // 25 a second
	at := fmt.Sprintf("2026-11-%02dT%02d:%02d:%02d.%03d%04d", 1+ms/86_400_000%28, ms/3_600_000%24, ms/60_000%60, ms/1000%60, ms%1000, r.IntN(10_000))
	id := guid(r.Uint64(), r.Uint64())
	correlation := guid(r.Uint64(), r.Uint64())
	session := guid(user*0x9e3779b97f4a7c15, uint64(n/200_000))
	code, reason, access := 0, "Other.", "success"
	switch k := r.IntN(100); {
	case k < 6:
		code, reason, access = 50126, "Error validating credentials due to invalid username or password.", "notApplied"
	case k < 9:
		code, reason, access = 53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.", "failure"
	case k < 12:
		code, reason, access = 50074, "Strong Authentication is required.", "failure"
	}
	signature := "SUCCESS"
	if code != 0 {
		signature = "FAILURE"
	}
	city := [...]string{"Amsterdam", "Berlin", "Lyon", "Oslo", "Porto", "Seattle", "Utrecht", "Vienna"}[user%8]
	country := [...]string{"NL", "DE", "FR", "NO", "PT", "US", "NL", "AT"}[user%8]
	browser := [...]string{"Edge 141.0.0", "Chrome 142.0.0", "Firefox 144.0", "Mobile Safari 18.6"}[r.IntN(4)]
	system := [...]string{"Windows10", "Windows11", "Ios 18.6", "MacOs"}[user%4]
	address := fmt.Sprintf("203.%d.%d.%d", user%113, r.IntN(4), r.IntN(250))
	tenant := "5d1c7a52-0a6e-4c3b-9a4b-6f6f4e0f1c11"
	return fmt.Appendf(line, `{"time":"%[1]sZ","resourceId":"/tenants/%[2]s/providers/Microsoft.aadiam","operationName":"Sign-in activity","operationVersion":"1.0","category":"SignInLogs","tenantId":"%[2]s","resultType":"%[3]d","resultSignature":"%[4]s","resultDescription":"%[5]s","durationMs":0,"callerIpAddress":"%[6]s","correlationId":"%[7]s","identity":"Person %[8]d","Level":4,"location":"%[9]s","properties":{"id":"%[10]s","createdDateTime":"%[1]s+00:00","userDisplayName":"Person %[8]d","userPrincipalName":"person%[8]d@example.com","userId":"%[11]s","appId":"%[12]s","appDisplayName":"Application %[13]d","ipAddress":"%[6]s","status":{"errorCode":%[3]d,"failureReason":"%[5]s"},"clientAppUsed":"Browser","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) %[14]s Safari/537.36","deviceDetail":{"deviceId":"%[15]s","operatingSystem":"%[16]s","browser":"%[14]s","isCompliant":true,"isManaged":true,"trustType":"Azure AD joined"},"location":{"city":"%[17]s","countryOrRegion":"%[9]s","geoCoordinates":{"latitude":%[18]d.3702,"longitude":4.%[18]d}},"correlationId":"%[7]s","conditionalAccessStatus":"%[19]s","appliedConditionalAccessPolicies":[{"id":"6a3c2c35-52ab-4a0e-8e39-5b9b1c0e7d01","displayName":"Require MFA for all users","enforcedGrantControls":["Mfa"],"result":"%[19]s"}],"isInteractive":true,"tokenIssuerType":"AzureAD","processingTimeInMilliseconds":%[20]d,"riskDetail":"none","riskLevelAggregated":"none","riskLevelDuringSignIn":"none","riskState":"none","riskEventTypes_v2":[],"resourceDisplayName":"Resource %[21]d","resourceId":"%[22]s","resourceTenantId":"%[2]s","homeTenantId":"%[2]s","authenticationDetails":[{"authenticationStepDateTime":"%[1]s+00:00","authenticationMethod":"Previously satisfied","succeeded":true}],"authenticationRequirement":"multiFactorAuthentication","userType":"Member","flaggedForReview":false,"autonomousSystemNumber":%[23]d,"crossTenantAccessType":"none","uniqueTokenIdentifier":"%016[24]x%06[25]x","sessionId":"%[26]s"}}`,
		at, tenant, code, signature, reason, address, correlation, user, country, id,
		guid(user*0xbf58476d1ce4e5b9, user), guid(app*0x94d049bb133111eb, app), app, browser,
		guid(user*0x2545f4914f6cdd1d, user+1), system, city, 40+user%17, access, 80+r.IntN(400),
		resource, guid(resource*0xd6e8feb86659fd93, resource), 1000+user%60, r.Uint64(), r.Uint32()&0xffffff,
		session)
}

// writeSignins writes n records, one a line.
func writeSignins(w io.Writer, n int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	t := newTenantOfUsers(1)
	var line []byte
	for range n {
		line = append(t.appendSignin(line[:0]), '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
