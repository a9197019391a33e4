// Package storage reads what diagnostic settings export to a storage account, in
// a folder on disk: a mounted account or a copy of it. Containers are named
// insights-logs-CATEGORY; below them stand
// tenantId=…/y=…/m=…/d=…/h=…/m=00/PT1H.json, files of lines that grow at their
// ends, each for the records received in one hour.
package storage
