// Command sbom writes a bill of materials in CycloneDX 1.6 of a built program:
// its modules as the linker wrote them into it, with their checksums, the Go
// toolchain, and the engines that are linked in as C and C++. It reads nothing
// but the program, so that it says what is in it and not what should be; the same
// program gives the same bill.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

type bill struct {
	Format       string       `json:"bomFormat"`
	SpecVersion  string       `json:"specVersion"`
	SerialNumber string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref       string   `json:"ref"`
	DependsOn []string `json:"dependsOn,omitempty"`
}

func main() {
	version := flag.String("version", "", "the program's version")
	at := flag.Int64("time", 0, "when it was built, Unix time; 0 says nothing of it")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: sbom [-version V] [-time UNIX] PROGRAM > bill.json")
		os.Exit(2)
	}
	b, err := of(flag.Arg(0), *version, *at)
	if err == nil {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(b)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// of makes the bill of a program.
func of(program, version string, at int64) (*bill, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	sum, err := sha(program)
	if err != nil {
		return nil, err
	}
	main := component{Type: "application", Ref: "glassward", Name: "glassward", Version: version, Hashes: []hash{{"SHA-256", hex.EncodeToString(sum)}},
		Properties: []property{{"file", filepath.Base(program)}}}
	for _, s := range info.Settings {
		if slices.Contains([]string{"GOOS", "GOARCH", "CGO_ENABLED", "vcs.revision", "-trimpath"}, s.Key) {
			main.Properties = append(main.Properties, property{"build:" + s.Key, s.Value})
		}
	}
	b := &bill{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{Component: main}}
	// A serial number must be new for each bill; the program's hash is.
	id := sum[:16]
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	b.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
	if at > 0 {
		b.Metadata.Timestamp = time.Unix(at, 0).UTC().Format(time.RFC3339)
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	b.Components = append(b.Components, component{Type: "library", Ref: "pkg:golang/std@" + goVersion, Name: "std", Version: goVersion, PURL: "pkg:golang/std@" + goVersion})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: purl(m.Path, m.Version)}
		c.Ref = c.PURL
		// The linker notes the module's h1 sum: SHA-256 over its files' sums.
		if text, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
			raw, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, fmt.Errorf("%s: the sum %q: %w", m.Path, m.Sum, err)
			}
			c.Hashes = []hash{{"SHA-256", hex.EncodeToString(raw)}}
			c.Properties = []property{{"go:sum", m.Sum}}
		}
		b.Components = append(b.Components, c)
		if strings.HasPrefix(m.Path, "github.com/duckdb/duckdb-go-bindings/lib/") {
			b.Components = append(b.Components, engine(m.Version))
		}
	}
	all := dependency{Ref: main.Ref}
	for _, c := range b.Components {
		all.DependsOn = append(all.DependsOn, c.Ref)
	}
	b.Dependencies = []dependency{all}
	return b, nil
}

// engine is DuckDB itself, which its Go module carries as a static library: the
// module's version v0.10505.0 stands for the engine's 1.5.5.
func engine(module string) component {
	version := module
	if n := strings.Split(strings.TrimPrefix(module, "v0."), "."); len(n) == 2 && len(n[0]) == 5 {
		version = fmt.Sprintf("%s.%s.%s", n[0][:1], strings.TrimLeft(n[0][1:3], "0"), strings.TrimLeft(n[0][3:], "0"))
	}
	p := "pkg:github/duckdb/duckdb@v" + version
	return component{Type: "library", Ref: p, Name: "duckdb", Version: version, PURL: p, Properties: []property{{"linked", "static, C++"}}}
}

// purl names a Go module, https://github.com/package-url/purl-spec.
func purl(path, version string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return "pkg:golang/" + strings.Join(parts, "/") + "@" + strings.ReplaceAll(version, "+", "%2B")
}

func sha(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
