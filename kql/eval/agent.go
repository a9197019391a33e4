package eval

import (
	"strings"

	"glassward/kql/value"
)

func agentFunctions() []Function {
	cache := &regexCache{}
	return []Function{
		fn("parse_user_agent", types(tStr, tDyn), tDyn, func(a []any) any {
			want := map[string]bool{}
			switch v := dyn(a[1]).(type) {
			case string:
				want[strings.ToLower(v)] = true
			case []any:
				for _, e := range v {
					want[strings.ToLower(value.Text(e))] = true
				}
			}
			o := &value.Object{}
			if want["browser"] {
				o.Set("Browser", browser(cache, str(a[0])))
			}
			if want["os"] {
				o.Set("OperatingSystem", system(cache, str(a[0])))
			}
			if want["device"] {
				o.Set("Device", device(cache, str(a[0])))
			}
			return js(o)
		}),
	}
}

// version sets Family and the numbers of a version.
func version(family, v string, names ...string) *value.Object {
	o := &value.Object{}
	o.Set("Family", family)
	parts := strings.FieldsFunc(v, func(r rune) bool { return r == '.' || r == '_' })
	for i, n := range names {
		if i < len(parts) {
			o.Set(n, parts[i])
		} else {
			o.Set(n, "")
		}
	}
	return o
}

func browser(cache *regexCache, s string) *value.Object {
	for _, b := range [][2]string{
		{"AdobeAIR", `AdobeAIR/([\d.]+)`}, {"Electron", `Electron/([\d.]+)`}, {"SeaMonkey", `SeaMonkey/([\d.]+)`}, {"PaleMoon", `PaleMoon/([\d.]+)`}, {"Maxthon", `Maxthon/([\d.]+)`},
		{"Googlebot", `Googlebot/([\d.]+)`}, {"bingbot", `bingbot/([\d.]+)`}, {"Thunderbird", `Thunderbird/([\d.]+)`}, {"Nokia OSS Browser", `Series60/([\d.]+)`},
		{"Edge Mobile", `Edg(?:A|iOS)/([\d.]+)`}, {"Edge", `Edge?/([\d.]+)`}, {"Opera Mini", `Opera Mini/([\d.]+)`}, {"Opera", `OPR/([\d.]+)`}, {"Opera", `Opera/.* Version/([\d.]+)`}, {"Samsung Internet", `SamsungBrowser/([\d.]+)`},
		{"Chrome Mobile iOS", `CriOS/([\d.]+)`}, {"Firefox iOS", `FxiOS/([\d.]+)`}, {"Firefox Mobile", `(?:Mobile|Tablet);.*Firefox/([\d.]+)`}, {"Firefox", `Firefox/([\d.]+)`},
		{"Chrome Mobile WebView", `; wv\).+Chrome/([\d.]+)`}, {"Chrome Mobile", `Chrome/([\d.]+) Mobile`}, {"HeadlessChrome", `HeadlessChrome/([\d.]+)`}, {"Chrome", `Chrome/([\d.]+)`}, {"Mobile Safari", `Version/([\d.]+).*Mobile.*Safari`},
		{"Safari", `Version/([\d.]+).*Safari`}, {"IE", `MSIE ([\d.]+)`}, {"IE", `Trident/.*rv:([\d.]+)`}, {"Python Requests", `python-requests/([\d.]+)`}, {"curl", `curl/([\d.]+)`},
		{"Wget", `Wget/([\d.]+)`}, {"okhttp", `okhttp/([\d.]+)`}, {"PostmanRuntime", `PostmanRuntime/([\d.]+)`}, {"Apache-HttpClient", `Apache-HttpClient/([\d.]+)`},
		{"axios", `axios/([\d.]+)`}, {"Go-http-client", `Go-http-client/([\d.]+)`}, {"PowerShell", `PowerShell/([\d.]+)`},
	} {
		if m := cache.get(b[1]).FindStringSubmatch(s); m != nil {
			return version(b[0], m[1], "MajorVersion", "MinorVersion", "Patch")
		}
	}
	return version("Other", "", "MajorVersion", "MinorVersion", "Patch")
}

func system(cache *regexCache, s string) *value.Object {
	for _, b := range [][2]string{
		{"Windows", `Windows NT ([\d.]+)`}, {"iOS", `(?:iPhone|iPad).* OS ([\d_]+)`}, {"Mac OS X", `Mac OS X ([\d_.]+)`}, {"Android", `Android ([\d.]+)`},
		{"Symbian OS", `Symbian[Oo][Ss][/ ]([\d.]+)`}, {"Chrome OS", `CrOS \w+ ([\d.]+)`}, {"Linux", `Linux()`},
	} {
		if m := cache.get(b[1]).FindStringSubmatch(s); m != nil {
			v := m[1]
			if b[0] == "Windows" {
				if n, ok := map[string]string{"10.0": "10", "6.3": "8.1", "6.2": "8", "6.1": "7", "6.0": "Vista", "5.1": "XP"}[v]; ok {
					v = n
				}
			}
			return version(b[0], v, "MajorVersion", "MinorVersion", "Patch", "PatchMinor")
		}
	}
	return version("Other", "", "MajorVersion", "MinorVersion", "Patch", "PatchMinor")
}

func device(cache *regexCache, s string) *value.Object {
	o := &value.Object{}
	family, brand := "Other", ""
	switch {
	case strings.Contains(s, "iPhone"):
		family, brand = "iPhone", "Apple"
	case strings.Contains(s, "iPad"):
		family, brand = "iPad", "Apple"
	case strings.Contains(s, "Macintosh"):
		family, brand = "Mac", "Apple"
	case strings.Contains(s, "Android"):
		family, brand = "Generic Smartphone", "Generic"
	}
	model := family
	if m := cache.get(`Nokia *(N\d+)([A-Za-z_-][\w-]*)?`).FindStringSubmatch(s); m != nil {
		family, brand, model = "Nokia "+m[1], "Nokia", m[1]+m[2]
	}
	o.Set("Family", family)
	o.Set("Brand", brand)
	o.Set("Model", model)
	return o
}
