package state

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Scope is what a token's holder may do.
type Scope string

// The scopes. None includes another.
const (
	ScopeIngest      Scope = "ingest"
	ScopeQuery       Scope = "query"
	ScopeAcknowledge Scope = "acknowledge"
	ScopeOperate     Scope = "operate"
)

// AllTenants in a token's Tenant stands for every tenant of the installation.
const AllTenants = "*"

// A Token is what is known of a token. The secret itself is told once, when it
// is made, and only its SHA-256 is kept.
type Token struct {
	// Name tells people which token it is, unique in the installation.
	Name string `json:"name"`
	// Tenant is the one tenant that it is for, or AllTenants.
	Tenant string `json:"tenant"`
	// Source is the name under which what it pushes is kept; needed for
	// ScopeIngest.
	Source   string    `json:"source,omitempty"`
	Scopes   []Scope   `json:"scopes"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
	Revoked  time.Time `json:"revoked,omitzero"`
	LastUsed time.Time `json:"lastUsed,omitzero"`
}

// Allows says whether the token permits a scope in a tenant. It does not look at
// the time: CheckToken has.
func (t Token) Allows(scope Scope, tenant string) bool {
	return slices.Contains(t.Scopes, scope) && (t.Tenant == AllTenants || t.Tenant == tenant)
}

// ErrToken is the one answer to a token that does not hold, whatever the reason.
var ErrToken = errors.New("the token is unknown, expired or revoked")

// tokenPrefix begins every token, so that scanners for leaked secrets find them.
const tokenPrefix = "gwt_"

// A TokenError says what is wrong with a token that was asked for.
type TokenError struct{ Name, What string }

func (e *TokenError) Error() string { return "create token " + e.Name + ": " + e.What }

// maxTokenLife bounds how long a token may be good.
const maxTokenLife = 2 * 366 * 24 * time.Hour

// CreateToken makes a token and gives its secret, which cannot be had again. by
// names the person. What is wrong with it is a *TokenError. Name, Tenant, Scopes
// and Expires are required; Created, Revoked and LastUsed are not looked at.
func (s *Store) CreateToken(ctx context.Context, t Token, by string) (secret string, err error) {
	now := s.now().UTC()
	bad := func(format string, args ...any) (string, error) {
		return "", &TokenError{t.Name, fmt.Sprintf(format, args...)}
	}
	switch {
	case t.Name == "" || len(t.Name) > 100 || strings.ContainsFunc(t.Name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return bad("give a name without spaces, of at most 100 bytes")
	case t.Tenant == "":
		return bad("name the tenant that it is for, or %s for all", AllTenants)
	case len(t.Scopes) == 0:
		return bad("name at least one scope: ingest, query, acknowledge, operate")
	case !t.Expires.After(now):
		return bad("it would expire at %s, which is past", t.Expires.UTC().Format(time.RFC3339))
	case t.Expires.After(now.Add(maxTokenLife)):
		return bad("it would be good until %s: two years are the most", t.Expires.UTC().Format(time.RFC3339))
	}
	for _, scope := range t.Scopes {
		switch scope {
		case ScopeQuery, ScopeAcknowledge, ScopeOperate:
		case ScopeIngest:
			if t.Source == "" || t.Tenant == AllTenants {
				return bad("a token for ingest is bound to one tenant and one source")
			}
		default:
			return bad("unknown scope %q: use ingest, query, acknowledge or operate", scope)
		}
	}
	var random [32]byte
	rand.Read(random[:]) // never fails: see its documentation
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	names := scopeNames(t.Scopes)
	err = s.write(ctx, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO tokens (name, hash, tenant, source, scopes, created, expires, revoked, last_used) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT DO NOTHING",
			t.Name, tokenHash(secret), t.Tenant, t.Source, names, micros(now), micros(t.Expires))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if n == 0 {
			return &TokenError{t.Name, "there is one of that name, if only a revoked one: names are not used again"}
		}
		return tx.journal(ctx, "token", t.Tenant, map[string]any{"action": "create", "name": t.Name, "source": t.Source, "scopes": names, "expires": t.Expires.UTC(), "by": by}, nil)
	})
	if refused := (*TokenError)(nil); errors.As(err, &refused) {
		return "", refused
	}
	if err != nil {
		return "", fmt.Errorf("create token %s: %w", t.Name, err)
	}
	return secret, nil
}

func scopeNames(scopes []Scope) string {
	var names []string
	for _, sc := range scopes {
		names = append(names, string(sc))
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

func tokenHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

const tokenColumns = "name, hash, tenant, source, scopes, created, expires, revoked, last_used"

func scanToken(row interface{ Scan(...any) error }) (t Token, hash string, err error) {
	var scopes string
	var created, expires, revoked, used int64
	if err := row.Scan(&t.Name, &hash, &t.Tenant, &t.Source, &scopes, &created, &expires, &revoked, &used); err != nil {
		return t, "", err
	}
	for name := range strings.FieldsSeq(scopes) {
		t.Scopes = append(t.Scopes, Scope(name))
	}
	t.Created, t.Expires, t.Revoked, t.LastUsed = fromMicros(created), fromMicros(expires), fromMicros(revoked), fromMicros(used)
	return t, hash, nil
}

// usedResolution is how exactly a token's last use is kept.
const usedResolution = time.Minute

// CheckToken gives the token that has the secret, or ErrToken. It looks up the
// secret's SHA-256, so that how long it takes says nothing about how much of a
// guess was right.
func (s *Store) CheckToken(ctx context.Context, secret string) (Token, error) {
	want := tokenHash(secret)
	t, hash, err := scanToken(s.readers.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM tokens WHERE hash = ?", want))
	now := s.now().UTC()
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Token{}, ErrToken
	case err != nil:
		return Token{}, fmt.Errorf("check token: %w", err)
	case subtle.ConstantTimeCompare([]byte(hash), []byte(want)) != 1, !t.Revoked.IsZero(), !now.Before(t.Expires):
		return Token{}, ErrToken
	}
	if now.Sub(t.LastUsed) < usedResolution {
		return t, nil
	}
	err = s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE tokens SET last_used = ? WHERE name = ? AND last_used < ?", micros(now), t.Name, micros(now))
		return err
	})
	if err == nil {
		t.LastUsed = now.Truncate(time.Microsecond)
	}
	// A disk that is full must not lock out who comes to help: the token holds all
	// the same, and its next use is noted instead.
	return t, nil
}

// Tokens gives all tokens, revoked and expired ones too, by name.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT "+tokenColumns+" FROM tokens ORDER BY name LIMIT 0+?", pageLimit)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	defer rows.Close()
	var out []Token
	for rows.Next() {
		t, _, err := scanToken(rows)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// RevokeToken ends a token at once. Revoking a revoked one changes nothing.
func (s *Store) RevokeToken(ctx context.Context, name, by string) error {
	err := s.write(ctx, func(tx *tx) error {
		var tenant string
		var revoked int64
		err := tx.QueryRowContext(ctx, "SELECT tenant, revoked FROM tokens WHERE name = ?", name).Scan(&tenant, &revoked)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil || revoked != 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked = ? WHERE name = ?", micros(tx.now), name); err != nil {
			return err
		}
		return tx.journal(ctx, "token", tenant, map[string]any{"action": "revoke", "name": name, "by": by}, nil)
	})
	if err != nil {
		return fmt.Errorf("revoke token %s: %w", name, err)
	}
	return nil
}
