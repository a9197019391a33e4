package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"glassward/kql/kqltest"
)

// judge is a running type checker of Microsoft's, asked by lines of JSON.
type judge struct {
	cmd     *exec.Cmd
	in      *json.Encoder
	close   io.Closer
	answers *bufio.Scanner
	errors  tail
}

// verdict is what it says of a query.
type verdict struct {
	Errors []struct {
		Code    string `json:"code"`
		At      int    `json:"at"`
		Message string `json:"message"`
	} `json:"errors"`
	// Columns is nil if the query gives no table.
	Columns [][2]string `json:"columns"`
	// Open says that there may be more columns than can be known without the data.
	Open  bool   `json:"open"`
	Crash string `json:"crash"`
}

// signature is one form of a function as the type checker knows it.
type signature struct {
	Min, Max   int
	Parameters []struct {
		Name  string
		Kind  string
		Types []string
	}
}

// named is a function, an aggregate or a plugin with its signatures.
type named struct {
	Name       string
	Hidden     bool
	Signatures []signature
}

// vocabulary is every name that the type checker knows.
type vocabulary struct {
	Functions, Aggregates, Plugins []named
}

// tail keeps the end of what a program writes to its error stream.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if n := len(*t) - 4000; n > 0 {
		*t = slices.Delete(*t, 0, n)
	}
	return len(p), nil
}

// newJudge starts the type checker; dir is the folder of package.json. The package is fetched by npm
// if it is not there.
func newJudge(dir string) (*judge, error) {
	if _, err := os.Stat(filepath.Join(dir, "node_modules/@kusto/language-service-next")); err != nil {
		install := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		install.Dir = dir
		if out, err := install.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci: %w\n%s", err, out)
		}
	}
	j := &judge{cmd: exec.Command("node", "--stack-size=4000", "oracle.cjs")}
	j.cmd.Dir = dir
	j.cmd.Stderr = &j.errors
	in, err := j.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := j.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	j.in, j.close = json.NewEncoder(in), in
	j.answers = bufio.NewScanner(out)
	j.answers.Buffer(nil, 64<<20)
	return j, j.cmd.Start()
}

// Close ends the type checker.
func (j *judge) Close() error {
	j.close.Close()
	return j.cmd.Wait()
}

// know gives the type checker the tables and watchlists that the next queries may name.
func (j *judge) know(tables, watchlists []*kqltest.Table) error {
	type columns = map[string][][2]string
	list := func(from []*kqltest.Table) columns {
		m := columns{}
		for _, t := range from {
			for _, c := range t.Columns {
				m[t.Name] = append(m[t.Name], [2]string{c.Name, c.Type})
			}
		}
		return m
	}
	return j.in.Encode(map[string]columns{"tables": list(tables), "watchlists": list(watchlists)})
}

// ask gives the verdict on a query.
func (j *judge) ask(query string) (*verdict, error) {
	v := &verdict{}
	return v, j.request(map[string]string{"query": query}, v)
}

// vocabulary gives every name that the type checker knows.
func (j *judge) vocabulary() (*vocabulary, error) {
	v := &vocabulary{}
	return v, j.request(map[string]bool{"vocabulary": true}, v)
}

func (j *judge) request(request, answer any) error {
	if err := j.in.Encode(request); err != nil {
		return fmt.Errorf("the type checker has ended: %w\n%s", err, j.errors)
	}
	if !j.answers.Scan() {
		return fmt.Errorf("the type checker has ended: %v\n%s", j.answers.Err(), j.errors)
	}
	return json.Unmarshal(j.answers.Bytes(), answer)
}
