package rule

import (
	"encoding/json"
	"fmt"
)

// Judged gives the sequence number up to which a stored watermark says that its
// rule has looked at records.
func Judged(mark []byte) (int64, error) {
	var st storedState
	if err := json.Unmarshal(mark, &st); err != nil {
		return 0, fmt.Errorf("a watermark cannot be read: %w", err)
	}
	return st.Seq, nil
}
