package storage

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A blob is a file of the layout, by its path below the folder.
type blob struct {
	path      string // with slashes
	container string // insights-logs-auditlogs
	hour      time.Time
}

// parts are the time's folders in their order. A second m= is the minute.
var parts = [...]string{"y=", "m=", "d=", "h=", "m="}

// hourOf reads the hour of which a folder holds the records, from its path:
// y=2026/m=11/d=20/h=05/m=00, in any case.
func hourOf(folders []string) (time.Time, bool) {
	if len(folders) < len(parts) {
		return time.Time{}, false
	}
	var n [len(parts)]int
	for i, f := range folders[len(folders)-len(parts):] {
		if len(f) < 3 || !strings.EqualFold(f[:2], parts[i]) {
			return time.Time{}, false
		}
		v, err := strconv.ParseUint(f[2:], 10, 16)
		if err != nil {
			return time.Time{}, false
		}
		n[i] = int(v)
	}
	at := time.Date(n[0], time.Month(n[1]), n[2], n[3], 0, 0, 0, time.UTC)
	if at.Year() != n[0] || int(at.Month()) != n[1] || at.Day() != n[2] || at.Hour() != n[3] || n[0] < 1970 {
		return time.Time{}, false
	}
	return at, true
}

// parseBlob reads a path below the folder, false if it is none of the layout's.
// The folder may be the account (with the containers in it), or one container.
func parseBlob(path string) (blob, bool) {
	folders := strings.Split(filepath.ToSlash(path), "/")
	name := folders[len(folders)-1]
	folders = folders[:len(folders)-1]
	if lower := strings.ToLower(name); lower != "pt1h.json" && lower != "pt1h.json.gz" {
		return blob{}, false
	}
	hour, ok := hourOf(folders)
	if !ok {
		return blob{}, false
	}
	b := blob{path: strings.Join(append(folders, name), "/"), hour: hour}
	for _, f := range folders[:len(folders)-len(parts)] {
		if strings.HasPrefix(strings.ToLower(f), "insights-") {
			b.container = strings.ToLower(f)
			break
		}
	}
	return b, true
}
