package rule

// entityIdentifiers are Sentinel's entity types with their identifiers
// (Microsoft Sentinel entity types reference).
var entityIdentifiers = map[string][]string{
	"Account":          {"Name", "FullName", "NTDomain", "DnsDomain", "UPNSuffix", "Sid", "AadTenantId", "AadUserId", "PUID", "IsDomainJoined", "DisplayName", "ObjectGuid", "CloudAppAccountId", "IsAnonymized"},
	"AzureResource":    {"ResourceId"},
	"CloudApplication": {"AppId", "Name", "InstanceName"},
	"DNS":              {"DomainName"},
	"File":             {"Name", "Directory"},
	"FileHash":         {"Algorithm", "Value"},
	"Host":             {"HostName", "FullName", "NetBiosName", "AzureID", "OMSAgentID", "DnsDomain", "NTDomain", "OSFamily", "OSVersion", "IsDomainJoined"},
	"IoTDevice":        {"DeviceId", "IoTHub", "DeviceName", "DeviceType", "IoTSecurityAgentId", "Vendor", "Model", "OperatingSystem", "IpAddress", "MacAddress", "Protocols", "SerialNumber", "Source", "EdgeId", "Importance", "PurdueLayer", "IsProgramming", "IsAuthorized", "IsScanner", "DevicePageLink", "DeviceSubType"},
	"IP":               {"Address", "AddressScope"},
	"Mailbox":          {"MailboxPrimaryAddress", "DisplayName", "Upn", "AadId", "ExternalDirectoryObjectId", "RiskLevel"},
	"MailCluster":      {"NetworkMessageIds", "CountByDeliveryStatus", "CountByThreatType", "CountByProtectionStatus", "Threats", "Query", "QueryTime", "MailCount", "IsVolumeAnomaly", "Source", "ClusterSourceIdentifier", "ClusterSourceType", "ClusterQueryStartTime", "ClusterQueryEndTime", "ClusterGroup"},
	"MailMessage":      {"NetworkMessageId", "Recipient", "Sender", "P1Sender", "P1SenderDisplayName", "P1SenderDomain", "P2Sender", "P2SenderDisplayName", "P2SenderDomain", "SenderIP", "ReceivedDate", "InternetMessageId", "Subject", "Language", "Urls", "Threats", "ThreatDetectionMethods", "DeliveryAction", "DeliveryLocation", "AntispamDirection", "BodyFingerprintBin1", "BodyFingerprintBin2", "BodyFingerprintBin3", "BodyFingerprintBin4", "BodyFingerprintBin5", "Files"},
	"Malware":          {"Name", "Category"},
	"Process":          {"ProcessId", "CommandLine", "ElevationToken", "CreationTimeUtc"},
	"RegistryKey":      {"Hive", "Key"},
	"RegistryValue":    {"Name", "Value", "ValueType"},
	"SecurityGroup":    {"DistinguishedName", "SID", "ObjectGuid"},
	"SubmissionMail":   {"NetworkMessageId", "Recipient", "Sender", "SenderIp", "Subject", "Timestamp", "SubmissionId", "SubmissionDate", "Submitter", "ReportType"},
	"URL":              {"Url"},
}

// needed are the identifiers of which a mapping must have at least one, where
// the other identifiers alone name nothing.
var needed = map[string][]string{
	"Account": {"FullName", "Sid", "Name", "AadUserId", "PUID", "ObjectGuid"},
	"Host":    {"FullName", "HostName", "NetBiosName", "AzureID", "OMSAgentID"},
	"IP":      {"Address"},
}
