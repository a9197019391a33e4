package graph

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"glassward/directory"
	"glassward/directory/part"
)

// Who may not see the members of a group is shown an empty list, which is not taken
// for one: it is not kept, and the part says why.
func TestHiddenMembersAreNotTakenForNone(t *testing.T) {
	dir := t.TempDir()
	q := request{part: directory.GroupMembers, permission: "GroupMember.Read.All", each: ofGroups}
	f, err := part.Create(dir, q.part, q.said())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &collector{q: q, f: f, of: 3, hidden: map[string]bool{"a": true, "b": true}, progress: func(int) {}}
	if err := c.take([]response{
		{ID: "a", Status: 200, Body: []byte(`{"value":[]}`)},
		{ID: "b", Status: 200, Body: []byte(`{"value":[{"id":"u"}]}`)},
		{ID: "c", Status: 200, Body: []byte(`{"value":[]}`)},
	}); err != nil {
		t.Fatal(err)
	}
	why, err := c.trouble()
	if err != nil || why == nil || why.Permission != "Member.Read.Hidden" || why.Unasked {
		t.Errorf("%+v %v", why, err)
	}
	if _, err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, f.Name()))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"responses":[{"id":"b","status":200,"body":{"value":[{"id":"u"}]}},{"id":"c","status":200,"body":{"value":[]}}]}`
	if strings.TrimSpace(string(text)) != want {
		t.Errorf("%s", text)
	}
}
