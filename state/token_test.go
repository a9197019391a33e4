package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	dir := t.TempDir()
	ck := &clock{night}
	s := openStore(t, dir, Options{Now: ck.now})
	week := night.Add(7 * 24 * time.Hour)
	secret, err := s.CreateToken(t.Context(), Token{Name: "collector", Tenant: "contoso", Source: "hub", Scopes: []Scope{ScopeQuery, ScopeIngest}, Expires: week}, "nora")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := s.CheckToken(t.Context(), secret)
	if err != nil || tok.Name != "collector" || tok.Source != "hub" {
		t.Fatalf("check: %+v, %v", tok, err)
	}
	for _, tt := range []struct {
		scope  Scope
		tenant string
		want   bool
	}{{ScopeIngest, "contoso", true}, {ScopeQuery, "contoso", true}, {ScopeOperate, "contoso", false}, {ScopeIngest, "fabrikam", false}} {
		if got := tok.Allows(tt.scope, tt.tenant); got != tt.want {
			t.Errorf("allows %s in %s: %v", tt.scope, tt.tenant, got)
		}
	}
	ck.t = night.Add(time.Hour)
	if tok, err := s.CheckToken(t.Context(), secret); err != nil || !tok.LastUsed.Equal(ck.t) {
		t.Errorf("last used %v, %v", tok.LastUsed, err)
	}
	for name, guess := range map[string]string{"empty": "", "wrong": tokenPrefix + strings.Repeat("A", 43), "its hash": tokenHash(secret), "cut": secret[:len(secret)-1]} {
		if _, err := s.CheckToken(t.Context(), guess); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ck.t = week
	if _, err := s.CheckToken(t.Context(), secret); !errors.Is(err, ErrToken) {
		t.Errorf("expired: %v", err)
	}
	ck.t = night
	for range 2 {
		if err := s.RevokeToken(t.Context(), "collector", "nora"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CheckToken(t.Context(), secret); !errors.Is(err, ErrToken) {
		t.Errorf("revoked: %v", err)
	}
	if err := s.RevokeToken(t.Context(), "other", "nora"); !errors.Is(err, ErrNotFound) {
		t.Errorf("revoking what is not there: %v", err)
	}
	if list, err := s.Tokens(t.Context()); err != nil || len(list) != 1 || list[0].Revoked.IsZero() {
		t.Errorf("list %+v, %v", list, err)
	}
	entries, err := s.Journal(t.Context(), 0, 0)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d journal entries, want one for making and one for revoking (%v)", len(entries), err)
	}
	// The secret is nowhere on the disk.
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), secret[len(tokenPrefix):]) {
			t.Errorf("%s holds the secret", f.Name())
		}
	}
}

func TestTokensThatAreNotMade(t *testing.T) {
	s := openStore(t, t.TempDir(), Options{Now: func() time.Time { return night }})
	good := Token{Name: "a", Tenant: AllTenants, Scopes: []Scope{ScopeOperate}, Expires: night.Add(time.Hour)}
	if _, err := s.CreateToken(t.Context(), good, "nora"); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Token){
		"of that name":    func(t *Token) {},
		"without spaces":  func(t *Token) { t.Name = "a b" },
		"name the tenant": func(t *Token) { t.Name, t.Tenant = "b", "" },
		"one scope":       func(t *Token) { t.Name, t.Scopes = "b", nil },
		"unknown scope":   func(t *Token) { t.Name, t.Scopes = "b", []Scope{"root"} },
		"one source":      func(t *Token) { t.Name, t.Tenant, t.Scopes = "b", "contoso", []Scope{ScopeIngest} },
		"one tenant":      func(t *Token) { t.Name, t.Source, t.Scopes = "b", "hub", []Scope{ScopeIngest} },
		"which is past":   func(t *Token) { t.Name, t.Expires = "b", night },
		"two years":       func(t *Token) { t.Name, t.Expires = "b", night.AddDate(3, 0, 0) },
	} {
		bad := good
		change(&bad)
		if _, err := s.CreateToken(t.Context(), bad, "nora"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: got %v, want %q", bad, err, want)
		}
	}
}

// What is wrong with a token is told from what is wrong with the store.
func TestTokenErrors(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	good := Token{Name: "a", Tenant: AllTenants, Scopes: []Scope{ScopeQuery}, Expires: time.Now().Add(time.Hour)}
	if _, err := s.CreateToken(t.Context(), good, "test"); err != nil {
		t.Fatal(err)
	}
	var refused *TokenError
	if _, err := s.CreateToken(t.Context(), good, "test"); !errors.As(err, &refused) {
		t.Errorf("a second of that name gives %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good.Name = "b"
	if _, err := s.CreateToken(t.Context(), good, "test"); err == nil || errors.As(err, &refused) {
		t.Errorf("a store that is closed gives %v", err)
	}
}
