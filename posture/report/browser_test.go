package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"glassward/directory"
	"glassward/internal/browser"
	"glassward/posture"
	"glassward/posture/report"
)

// TestPageInBrowser opens pages from the disk in Chromium, as people do: filters by
// keyboard, both themes, paper, without scripts, and axe-core judges each. Nothing may be
// asked of the network and nothing may be refused by the page's own policy.
func TestPageInBrowser(t *testing.T) {
	p := browser.ForTest(t, 1200, 900)
	x := &pageTest{T: t, Page: p}

	x.open(page(t, faulty(t)))
	t.Run("filter", x.at(x.filters))
	t.Run("keyboard", x.at(x.keyboard))
	t.Run("themes", x.at(x.themes))
	t.Run("paper", x.at(x.paper))
	t.Run("narrow", x.at(x.narrow))
	x.open(page(t, hostileDocument()))
	t.Run("hostile names", x.at(func() { x.accessible("hostile") }))
	x.open(page(t, &report.Document{Report: &posture.Report{Maturity: posture.ClassUnknown}}))
	t.Run("nothing", x.at(func() { x.accessible("nothing") }))
	t.Run("without scripts", x.at(x.withoutScripts))
}

// faulty is the good tenant with an owner, a long absence and parts that were refused.
func faulty(t *testing.T) *report.Document {
	return assessed(t, func(c *directory.Contents) {
		owners := map[string][]directory.Ref{}
		for id, list := range c.Owners {
			owners[id] = list
		}
		owners[grp] = []directory.Ref{{ID: "ad000000-0000-4000-8000-000000000003", Kind: "user"}}
		c.Owners = owners
		readings := map[directory.Part]directory.Reading{}
		for p, r := range c.Readings {
			readings[p] = r
		}
		readings[directory.DeletedUsers] = directory.Reading{State: directory.Unread, Reason: "Graph answered 403", Permission: "User.Read.All"}
		c.Readings, c.DeletedUsers = readings, nil
		c.Users = slices.Clone(c.Users)
		for i, u := range c.Users {
			if u.ID == ea2 {
				late := *u
				late.LastSignIn = c.Taken.AddDate(0, -6, 0)
				c.Users[i] = &late
			}
		}
	})
}

type pageTest struct {
	*testing.T
	*browser.Page
}

func (x *pageTest) at(step func()) func(*testing.T) {
	return func(t *testing.T) {
		whole := x.T
		x.T = t
		defer func() { x.T = whole }()
		step()
		x.quiet()
	}
}

func (x *pageTest) must(err error) {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
}

func (x *pageTest) open(text string) {
	x.Helper()
	file := filepath.Join(x.TempDir(), "page.html")
	x.must(os.WriteFile(file, []byte(text), 0o600))
	x.must(x.Page.Open("file://" + filepath.ToSlash(file)))
	x.quiet()
}

// quiet holds that nothing but the page itself was asked for, that nothing was refused
// or thrown, and that no name has opened a dialog.
func (x *pageTest) quiet() {
	x.Helper()
	for _, e := range x.Events("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening") {
		x.Errorf("the browser tells %s %.500s", e.Method, e.Params)
	}
	for _, e := range x.Events("Network.requestWillBeSent") {
		var r struct{ Request struct{ URL string } }
		x.must(json.Unmarshal(e.Params, &r))
		if !strings.HasPrefix(r.Request.URL, "file://") || !strings.HasSuffix(r.Request.URL, "/page.html") {
			x.Errorf("the page asks for %s", r.Request.URL)
		}
	}
}

// shown gives the ids of the checks that are shown, and what the page says of their number.
func (x *pageTest) shown() (ids []string, said string) {
	x.Helper()
	x.must(x.Eval(`[...document.querySelectorAll("#table tbody tr")].filter((r) => r.checkVisibility()).map((r) => r.id)`, &ids))
	x.must(x.Eval(`document.getElementById("shown").value`, &said))
	return ids, said
}

func (x *pageTest) choose(id, value string) {
	x.Helper()
	quoted, _ := json.Marshal(value)
	x.must(x.Eval(`(() => { const e = document.getElementById("`+id+`"); e.value = `+string(quoted)+`; e.dispatchEvent(new Event("input", {bubbles: true})); })()`, nil))
}

func (x *pageTest) click(id string) {
	x.Helper()
	x.must(x.Eval(`document.getElementById("`+id+`").click()`, nil))
}

func (x *pageTest) typed(text string) {
	x.Helper()
	for _, r := range text {
		x.must(x.Key(string(r)))
	}
}

func (x *pageTest) filters() {
	all, said := x.shown()
	if want := "GRP-04"; len(all) < 50 || !slices.Contains(all, want) || !strings.HasPrefix(said, strconv.Itoa(len(all))+" of "+strconv.Itoa(len(all))) {
		x.Fatalf("%d checks are shown, %q", len(all), said)
	}
	// By text, which / goes to; every word must be there, whatever the case of letters.
	x.must(x.Key("/"))
	x.typed("OWNERS nora")
	if got, said := x.shown(); !slices.Equal(got, []string{"GRP-04"}) || said != "1 of "+strconv.Itoa(len(all))+" checks" {
		x.Errorf("by text: %v, %q", got, said)
	}
	x.must(x.Key("Escape"))
	if got, _ := x.shown(); len(got) != len(all) {
		x.Errorf("Escape leaves %d checks", len(got))
	}
	for _, step := range []struct{ id, value, attribute string }{
		{"result", "fail", "result"}, {"severity", "critical", "severity"}, {"area", "AUTH", "area"},
	} {
		x.choose(step.id, step.value)
		got, _ := x.shown()
		var want []string
		x.must(x.Eval(`[...document.querySelectorAll("#table tr[data-`+step.attribute+`='`+step.value+`']")].map((r) => r.id)`, &want))
		if len(got) == 0 || len(got) == len(all) || !slices.Equal(got, want) {
			x.Errorf("by %s: %v, not %v", step.id, got, want)
		}
		x.choose(step.id, "")
	}
	x.choose("result", "fail")
	fails, _ := x.shown()
	x.click("emergency")
	named, _ := x.shown()
	if len(named) == 0 || len(named) >= len(fails) || slices.Contains(named, "GRP-04") || !slices.Contains(named, "ACC-14") {
		x.Errorf("of %v those that name an emergency account: %v", fails, named)
	}
	x.accessible("filtered")
	x.must(x.Eval(`document.querySelector("#filter button[type=reset]").click(); new Promise((done) => setTimeout(done, 0))`, nil))
	if got, _ := x.shown(); len(got) != len(all) {
		x.Errorf("cleared, %d checks are shown", len(got))
	}
	closed := `[...document.querySelectorAll("#table details")].filter((d) => !d.open).length`
	for id, want := range map[string]int{"open": 0, "close": len(all)} {
		x.click(id)
		var n int
		if x.must(x.Eval(closed, &n)); n != want {
			x.Errorf("%s all leaves %d closed", id, n)
		}
	}
}

// keyboard goes through the page by Tab: every control is reached, once, in the order in
// which it stands, and shows that it is where one is.
func (x *pageTest) keyboard() {
	x.open(page(x.T, faulty(x.T)))
	var want []string
	name := `((e) => e.id || (e.type === "reset" ? "reset" : e.tagName + ":" + e.closest("tr")?.id))`
	x.must(x.Eval(`[...document.querySelectorAll("a, select, input, button, summary")].map((e) => e.className === "skip" ? "skip" : `+name+`(e))`, &want))
	var got []string
	for range want {
		x.must(x.Key("Tab"))
		var at struct {
			Name  string
			Shows bool
		}
		x.must(x.Eval(`(() => { const e = document.activeElement, s = getComputedStyle(e);
			return {name: e.className === "skip" ? "skip" : `+name+`(e), shows: s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && e.checkVisibility()}; })()`, &at))
		got = append(got, at.Name)
		if !at.Shows {
			x.Errorf("focus on %s does not show", at.Name)
		}
	}
	if !slices.Equal(got, want) {
		x.Errorf("Tab goes to %v, not %v", got, want)
	}
	// The last is a title: Enter opens it.
	var open bool
	x.must(x.Key("Enter"))
	x.must(x.Eval(`document.activeElement.parentElement.open`, &open))
	if !open {
		x.Error("Enter does not open a title")
	}
}

func (x *pageTest) back() string {
	x.Helper()
	var colour string
	x.must(x.Eval(`getComputedStyle(document.body).backgroundColor`, &colour))
	return colour
}

// themes: as the system prefers, and as the switch says.
func (x *pageTest) themes() {
	const light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 26)"
	change := func(theme string) {
		x.choose("theme", theme)
		x.must(x.Eval(`document.getElementById("theme").dispatchEvent(new Event("change"))`, nil))
	}
	for _, c := range []struct{ system, theme, want string }{
		{"light", "dark", dark}, {"dark", "light", light}, {"dark", "", dark}, {"light", "", light},
	} {
		x.must(x.Media("screen", c.system))
		change(c.theme)
		if got := x.back(); got != c.want {
			x.Errorf("system %s, switch %q: the page is %s, not %s", c.system, c.theme, got, c.want)
		}
		if c.theme == "" {
			x.accessible(c.system)
		}
	}
}

// paper: no controls, dark on light whatever the screen had, and everything open.
func (x *pageTest) paper() {
	x.must(x.Media("print", "dark"))
	defer func() { x.must(x.Media("screen", "light")) }()
	var r struct {
		Back, Fore string
		Controls   int
		Closed     int
	}
	x.click("close")
	x.must(x.Eval(`({back: getComputedStyle(document.body).backgroundColor, fore: getComputedStyle(document.body).color,
		controls: [...document.querySelectorAll("a, select, input, button")].filter((e) => e.checkVisibility()).length,
		closed: [...document.querySelectorAll("#table details .do")].filter((e) => !e.checkVisibility({contentVisibilityAuto: true}) || e.getBoundingClientRect().height === 0).length})`, &r))
	if r.Back != "rgb(255, 255, 255)" || r.Fore != "rgb(0, 0, 0)" || r.Controls != 0 || r.Closed != 0 {
		x.Errorf("on paper: %+v", r)
	}
}

// narrow: on a telephone nothing is wider than the screen.
func (x *pageTest) narrow() {
	size := func(width int) {
		x.must(x.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false}, nil))
	}
	defer size(1200)
	for _, width := range []int{320, 400, 800} {
		size(width)
		var wide []string
		x.must(x.Eval(`document.documentElement.scrollWidth <= innerWidth ? [] : [...document.querySelectorAll("body *")]
			.filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest("details:not([open])")).map((e) => e.outerHTML.slice(0, 80))`, &wide))
		if len(wide) > 0 {
			x.Errorf("wider than %d pixels: %q", width, wide)
		}
	}
	size(400)
	x.accessible("narrow")
}

// withoutScripts: all checks can be read, and no control is shown that would do nothing.
func (x *pageTest) withoutScripts() {
	x.must(x.Call("Emulation.setScriptExecutionDisabled", map[string]any{"value": true}, nil))
	defer func() { x.must(x.Call("Emulation.setScriptExecutionDisabled", map[string]any{"value": false}, nil)) }()
	x.open(page(x.T, faulty(x.T)))
	var r struct{ Rows, Controls int }
	x.must(x.Eval(`({rows: [...document.querySelectorAll("#table tbody tr")].filter((r) => r.checkVisibility()).length,
		controls: [...document.querySelectorAll("select, input, button")].filter((e) => e.checkVisibility()).length})`, &r))
	if r.Rows < 50 || r.Controls != 0 {
		x.Errorf("without scripts: %+v", r)
	}
}

// accessible has axe-core judge the page, and keeps how it looks where artifacts are asked
// for (go test -artifacts).
func (x *pageTest) accessible(name string) {
	x.Helper()
	list, err := x.Violations()
	x.must(err)
	for _, v := range list {
		x.Errorf("%s: %s", name, v)
	}
	shot, err := x.Screenshot()
	x.must(err)
	x.must(os.WriteFile(filepath.Join(x.ArtifactDir(), name+".png"), shot, 0o600))
}
