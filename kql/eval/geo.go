package eval

import (
	"math"
	"strings"

	"github.com/tidwall/geodesic"

	"glassward/kql/value"
)

// Places lie on a sphere of this radius in metres, as Kusto's do; edges are great circles.
const earthRadius = 6371010.0

// geoFunctions are those on points. Longitude comes before latitude, both in degrees.
func geoFunctions() []Function {
	four := types(tReal, tReal, tReal, tReal)
	return []Function{
		fn("geo_distance_2points", types(tReal, tReal, tReal, tReal, tBool), tReal, func(a []any) any {
			p, q, ok := twoPoints(a)
			if !ok {
				return nil
			}
			if spheroid, _ := a[4].(bool); spheroid {
				var metres float64
				geodesic.WGS84.Inverse(real(a[1], 0), real(a[0], 0), real(a[3], 0), real(a[2], 0), &metres, nil, nil)
				return metres
			}
			return earthRadius * angleBetween(p, q)
		}),
		fn("geo_azimuth", four, tReal, func(a []any) any {
			p, q, ok := twoPoints(a)
			if !ok {
				return nil
			}
			v, ok := azimuth(p, q)
			if !ok {
				return nil
			}
			return v
		}),
		fn("geo_angle", types(tReal, tReal, tReal, tReal, tReal, tReal), tReal, func(a []any) any {
			p, q, ok := twoPoints(a)
			r, ok2 := pointOf(a[4], a[5])
			if !ok || !ok2 {
				return nil
			}
			back, ok := azimuth(q, p)
			on, ok2 := azimuth(q, r)
			if _, ok3 := azimuth(p, q); !ok || !ok2 || !ok3 {
				return nil
			}
			v := math.Mod(on-back, 2*math.Pi)
			if v < 0 {
				v += 2 * math.Pi
			}
			return v
		}),
		fn("geo_point_in_circle", types(tReal, tReal, tReal, tReal, tReal), tBool, func(a []any) any {
			p, q, ok := twoPoints(a)
			r := real(a[4], math.NaN())
			if !ok || !(r >= 0) || math.IsInf(r, 0) {
				return nil
			}
			return earthRadius*angleBetween(p, q) <= r
		}),
		fn("geo_point_in_polygon", types(tReal, tReal, tDyn), tBool, func(a []any) any {
			p, ok := pointOf(a[0], a[1])
			polygons, ok2 := shape(a[2], "Polygon", "MultiPolygon")
			if !ok || !ok2 {
				return nil
			}
			for _, rings := range polygons {
				if inRings(p, rings) {
					return true
				}
			}
			return false
		}),
		fn("geo_distance_point_to_line", types(tReal, tReal, tDyn), tReal, func(a []any) any {
			p, ok := pointOf(a[0], a[1])
			lines, ok2 := shape(a[2], "LineString", "MultiLineString")
			if !ok || !ok2 {
				return nil
			}
			return earthRadius * toLines(p, lines)
		}),
		fn("geo_distance_point_to_polygon", types(tReal, tReal, tDyn), tReal, func(a []any) any {
			p, ok := pointOf(a[0], a[1])
			polygons, ok2 := shape(a[2], "Polygon", "MultiPolygon")
			if !ok || !ok2 {
				return nil
			}
			best := math.Inf(1)
			for _, rings := range polygons {
				if inRings(p, rings) {
					return 0.0
				}
				for _, r := range rings {
					best = min(best, toLines(p, [][][]vector{{r}}))
				}
			}
			return earthRadius * best
		}),
		nfn("geo_point_to_geohash", types(tReal, tReal, tLong), tStr, func(a []any) any {
			if a[0] == nil || a[1] == nil || a[2] == nil {
				return ""
			}
			lon, lat, n := real(a[0], 0), real(a[1], 0), long(a[2], 0)
			if !(math.Abs(lon) <= 180) || !(math.Abs(lat) <= 90) || n < 1 || n > 18 {
				return ""
			}
			return geohash(lon, lat, int(n))
		}),
		fn("geo_geohash_to_central_point", types(tStr), tDyn, func(a []any) any {
			w, s, e, n, ok := geohashBox(str(a[0]))
			if !ok {
				return nil
			}
			return js(geoObject("Point", []any{(w + e) / 2, (s + n) / 2}))
		}),
		fn("geo_geohash_to_polygon", types(tStr), tDyn, func(a []any) any {
			w, s, e, n, ok := geohashBox(str(a[0]))
			if !ok {
				return nil
			}
			at := func(x, y float64) any { return []any{x, y} }
			return js(geoObject("Polygon", []any{[]any{at(w, s), at(e, s), at(e, n), at(w, n), at(w, s)}}))
		}),
		fn("geo_geohash_neighbors", types(tStr), tDyn, func(a []any) any { return geohashNeighbors(str(a[0])) }),
	}
}

func geoObject(kind string, coordinates []any) *value.Object {
	o := &value.Object{}
	o.Set("type", kind)
	o.Set("coordinates", coordinates)
	return o
}

// vector is a point of the unit sphere.
type vector struct{ x, y, z float64 }

func (v vector) dot(w vector) float64 { return v.x*w.x + v.y*w.y + v.z*w.z }

func (v vector) cross(w vector) vector {
	return vector{v.y*w.z - v.z*w.y, v.z*w.x - v.x*w.z, v.x*w.y - v.y*w.x}
}

func (v vector) length() float64 { return math.Sqrt(v.dot(v)) }

func pointOf(lon, lat any) (vector, bool) {
	x, y := real(lon, math.NaN()), real(lat, math.NaN())
	if !(math.Abs(x) <= 180) || !(math.Abs(y) <= 90) {
		return vector{}, false
	}
	sx, cx := math.Sincos(x * math.Pi / 180)
	sy, cy := math.Sincos(y * math.Pi / 180)
	return vector{cy * cx, cy * sx, sy}, true
}

func twoPoints(a []any) (p, q vector, ok bool) {
	p, ok = pointOf(a[0], a[1])
	q, ok2 := pointOf(a[2], a[3])
	return p, q, ok && ok2
}

// angleBetween is exact for near points and for opposite ones.
func angleBetween(p, q vector) float64 { return math.Atan2(p.cross(q).length(), p.dot(q)) }

// azimuth is the direction from p to q, clockwise from north; there is none to the same and to the
// opposite point.
func azimuth(p, q vector) (float64, bool) {
	if p.cross(q).length() < 1e-14 {
		return 0, false
	}
	// East and north at p.
	east := vector{-p.y, p.x, 0}
	if east.length() < 1e-14 {
		east = vector{0, 1, 0}
	}
	east = east.scale(1 / east.length())
	north := p.cross(east)
	v := math.Atan2(q.dot(east), q.dot(north))
	if v < 0 {
		v += 2 * math.Pi
	}
	return v, true
}

func (v vector) scale(f float64) vector { return vector{v.x * f, v.y * f, v.z * f} }

// maxVertices bounds the shapes that are looked at.
const maxVertices = 1 << 16

// shape reads GeoJSON of a kind or of several of that kind: parts of rings or lines of points.
func shape(v any, one, many string) ([][][]vector, bool) {
	o, ok := bag(v)
	if !ok {
		return nil, false
	}
	kind, _ := o.Get("type")
	c, _ := o.Get("coordinates")
	count := 0
	path := func(v any) ([]vector, bool) {
		list, ok := v.([]any)
		if !ok || len(list) < 2 {
			return nil, false
		}
		if count += len(list); count > maxVertices {
			return nil, false
		}
		out := make([]vector, len(list))
		for i, e := range list {
			xy, ok := e.([]any)
			if !ok || len(xy) < 2 || rank(xy[0]) != 1 || rank(xy[1]) != 1 {
				return nil, false
			}
			if out[i], ok = pointOf(xy[0], xy[1]); !ok {
				return nil, false
			}
		}
		return out, true
	}
	paths := func(v any) ([][]vector, bool) {
		list, ok := v.([]any)
		if !ok || len(list) == 0 {
			return nil, false
		}
		var out [][]vector
		for _, e := range list {
			p, ok := path(e)
			if !ok || one == "Polygon" && !isRing(p) {
				return nil, false
			}
			out = append(out, p)
		}
		return out, true
	}
	switch {
	case kind == "LineString" && one == "LineString":
		p, ok := path(c)
		return [][][]vector{{p}}, ok
	case kind == "MultiLineString" && many == "MultiLineString", kind == "Polygon" && one == "Polygon":
		p, ok := paths(c)
		return [][][]vector{p}, ok
	case kind == many:
		list, ok := c.([]any)
		if !ok || len(list) == 0 {
			return nil, false
		}
		var out [][][]vector
		for _, e := range list {
			p, ok := paths(e)
			if !ok {
				return nil, false
			}
			out = append(out, p)
		}
		return out, true
	}
	return nil, false
}

// isRing says whether points make a ring: closed, of three corners at least, none of which comes twice.
func isRing(p []vector) bool {
	if len(p) < 4 || p[0] != p[len(p)-1] {
		return false
	}
	seen := make(map[vector]bool, len(p))
	for _, v := range p[1:] {
		if seen[v] {
			return false
		}
		seen[v] = true
	}
	return true
}

// inRings says whether a point lies in the first ring and in none of the others. What a ring encloses
// is the smaller part of the sphere.
func inRings(p vector, rings [][]vector) bool {
	for i, r := range rings {
		if inRing(p, r) != (i == 0) {
			return false
		}
	}
	return true
}

// inRing goes round the ring as seen from the point and adds up the turns: a whole turn is inside.
func inRing(p vector, ring []vector) bool {
	total := 0.0
	for i := 0; i+1 < len(ring); i++ {
		a, ok := azimuth(p, ring[i])
		b, ok2 := azimuth(p, ring[i+1])
		if !ok || !ok2 {
			return p.dot(ring[i]) > 0 // a corner counts as inside
		}
		d := b - a
		switch {
		case d > math.Pi:
			d -= 2 * math.Pi
		case d < -math.Pi:
			d += 2 * math.Pi
		}
		total += d
	}
	if math.Abs(total) < math.Pi {
		return false
	}
	// The ring winds round the point or round the opposite one: the middle of the ring tells which.
	var middle vector
	for _, v := range ring {
		middle = vector{middle.x + v.x, middle.y + v.y, middle.z + v.z}
	}
	return p.dot(middle) > 0
}

// toLines is the angle from a point to the nearest point of lines.
func toLines(p vector, parts [][][]vector) float64 {
	best := math.Inf(1)
	for _, lines := range parts {
		for _, l := range lines {
			for i := range l {
				best = min(best, angleBetween(p, l[i]))
				if i+1 == len(l) {
					break
				}
				n := l[i].cross(l[i+1])
				if k := n.length(); k > 1e-15 {
					n = n.scale(1 / k)
					// The foot of the perpendicular counts if it lies between the ends.
					if p.dot(n.cross(l[i])) >= 0 && p.dot(l[i+1].cross(n)) >= 0 {
						best = min(best, math.Abs(math.Asin(math.Max(-1, math.Min(1, p.dot(n))))))
					}
				}
			}
		}
	}
	return best
}

const geohashDigits = "0123456789bcdefghjkmnpqrstuvwxyz"

func geohash(lon, lat float64, n int) string {
	w, e, s, t := -180.0, 180.0, -90.0, 90.0
	var b strings.Builder
	for i, d := 0, 0; i < n*5; i++ {
		d <<= 1
		if i%2 == 0 {
			if m := (w + e) / 2; lon >= m {
				d, w = d|1, m
			} else {
				e = m
			}
		} else {
			if m := (s + t) / 2; lat >= m {
				d, s = d|1, m
			} else {
				t = m
			}
		}
		if i%5 == 4 {
			b.WriteByte(geohashDigits[d])
			d = 0
		}
	}
	return b.String()
}

// geohashBox gives the west, south, east and north ends of a cell.
func geohashBox(h string) (w, s, e, n float64, ok bool) {
	w, e, s, n = -180, 180, -90, 90
	if h == "" || len(h) > 18 {
		return 0, 0, 0, 0, false
	}
	h = strings.ToLower(h)
	for i := range len(h) {
		d := strings.IndexByte(geohashDigits, h[i])
		if d < 0 {
			return 0, 0, 0, 0, false
		}
		for k := 4; k >= 0; k-- {
			up := d>>k&1 == 1
			if (i*5+4-k)%2 == 0 {
				if m := (w + e) / 2; up {
					w = m
				} else {
					e = m
				}
			} else {
				if m := (s + n) / 2; up {
					s = m
				} else {
					n = m
				}
			}
		}
	}
	return w, s, e, n, true
}

func geohashNeighbors(h string) any {
	w, s, e, n, ok := geohashBox(h)
	if !ok {
		return nil
	}
	lon, lat, dx, dy := (w+e)/2, (s+n)/2, e-w, n-s
	out := []any{}
	for _, d := range [][2]float64{{-1, 0}, {-1, -1}, {0, -1}, {1, -1}, {1, 1}, {1, 0}, {0, 1}, {-1, 1}} {
		x, y := lon+d[0]*dx, lat+d[1]*dy
		if y < -90 || y > 90 {
			continue
		}
		if x < -180 {
			x += 360
		} else if x > 180 {
			x -= 360
		}
		out = append(out, geohash(x, y, len(h)))
	}
	return js(out)
}
