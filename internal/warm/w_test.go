package warm
import (
 "testing"
 _ "pgregory.net/rapid"
 _ "go.uber.org/goleak"
 _ "github.com/rogpeppe/go-internal/testscript"
 _ "github.com/google/go-cmp/cmp"
)
func TestX(t *testing.T){}
