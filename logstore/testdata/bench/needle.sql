-- The reference for the needle: what two emergency accounts did among all
-- sign-ins, as somebody who knows DuckDB would write it by hand against the
-- stored table. {first} and {second} are the object ids.
SELECT "TimeGenerated", "UserId", "UserPrincipalName", "IPAddress", "AppDisplayName", "ResultType"
FROM "SigninLogs"
WHERE "UserId" = '{first}' OR "UserId" = '{second}';
