package eval

import "math"

// unitFunctions converts quantities. A unit is a number of base units; those of temperature have a zero
// of their own too.
func unitFunctions() []Function {
	convert := func(name string, units func() map[string]float64) Function {
		table := units()
		return fn("convert_"+name, types(tReal, tStr, tStr), tReal, func(a []any) any {
			from, ok := table[str(a[1])]
			to, ok2 := table[str(a[2])]
			if !ok || !ok2 {
				return nil
			}
			return real(a[0], 0) * from / to
		})
	}
	return []Function{
		convert("angle", angles), convert("energy", energies), convert("force", forces), convert("length", lengths), convert("mass", masses),
		convert("speed", speeds), convert("volume", volumes),
		fn("convert_temperature", types(tReal, tStr, tStr), tReal, func(a []any) any {
			from, ok := temperature(str(a[1]))
			to, ok2 := temperature(str(a[2]))
			if !ok || !ok2 {
				return nil
			}
			return (real(a[0], 0)*from.scale + from.zero - to.zero) / to.scale
		}),
	}
}

// prefixed gives a unit with the prefixes of the metric system.
func prefixed(m map[string]float64, base string, one float64, prefixes ...string) {
	scale := map[string]float64{"Nano": 1e-9, "Micro": 1e-6, "Milli": 1e-3, "Centi": 1e-2, "Deci": 1e-1, "Deca": 10, "Hecto": 100, "Kilo": 1e3, "Mega": 1e6, "Giga": 1e9, "Tera": 1e12}
	for _, p := range prefixes {
		m[p+base] = scale[p] * one
	}
}

func angles() map[string]float64 { // degrees
	rad := 180 / math.Pi
	m := map[string]float64{"Degree": 1, "Arcminute": 1.0 / 60, "Arcsecond": 1.0 / 3600, "Gradian": 0.9, "NatoMil": 360.0 / 6400, "Radian": rad, "Revolution": 360, "Tilt": 90}
	prefixed(m, "degree", 1, "Micro", "Milli", "Nano")
	prefixed(m, "radian", rad, "Centi", "Deci", "Micro", "Milli", "Nano")
	return m
}

func energies() map[string]float64 { // joules
	const btu, ev, cal, wh = 1055.05585262, 1.602176565e-19, 4.184, 3600.0
	m := map[string]float64{
		"Joule": 1, "BritishThermalUnit": btu, "Calorie": cal, "ElectronVolt": ev, "Erg": 1e-7, "FootPound": 1.355817948, "HorsepowerHour": 2.6845195377e6, "WattHour": wh, "WattDay": 24 * wh,
		"ThermEc": 1.0550558526e8, "ThermImperial": 1.05505585257348e8, "ThermUs": 1.054804e8, "DecathermEc": 1.0550558526e9, "DecathermImperial": 1.05505585257348e9, "DecathermUs": 1.054804e9,
	}
	prefixed(m, "britishThermalUnit", btu, "Giga", "Kilo", "Mega")
	prefixed(m, "electronVolt", ev, "Giga", "Kilo", "Mega", "Tera")
	prefixed(m, "joule", 1, "Giga", "Kilo", "Mega", "Milli")
	prefixed(m, "calorie", cal, "Kilo", "Mega")
	prefixed(m, "wattHour", wh, "Giga", "Kilo", "Mega", "Tera")
	prefixed(m, "wattDay", 24*wh, "Giga", "Kilo", "Mega", "Tera")
	return m
}

func forces() map[string]float64 { // newtons
	const g, lbf = 9.80665, 4.4482216152605095551842641431421
	m := map[string]float64{
		"Newton": 1, "Dyn": 1e-5, "KilogramForce": g, "KiloPond": g, "PoundForce": lbf, "KilopoundForce": 1000 * lbf, "OunceForce": lbf / 16, "Poundal": 0.13825502798973041652092282466083, "ShortTonForce": 2000 * lbf, "TonneForce": 1000 * g,
	}
	prefixed(m, "newton", 1, "Deca", "Kilo", "Mega", "Micro", "Milli")
	return m
}

func lengths() map[string]float64 { // metres
	const ly, pc, inch = 9.46073047258e15, 3.08567758128e16, 2.54e-2
	m := map[string]float64{
		"Meter": 1, "Angstrom": 1e-10, "AstronomicalUnit": 1.4959787070e11, "Chain": 20.1168, "DataMile": 1828.8, "DtpPica": inch / 6, "DtpPoint": inch / 72, "Fathom": 1.8288, "Foot": 0.3048,
		"Hand": 1.016e-1, "Inch": inch, "LightYear": ly, "Microinch": inch * 1e-6, "Mil": inch * 1e-3, "Mile": 1609.344, "NauticalMile": 1852, "Parsec": pc, "PrinterPica": inch * 12 / 72.27, "PrinterPoint": inch / 72.27,
		"Shackle": 27.432, "SolarRadius": 6.95510e8, "Twip": inch / 1440, "UsSurveyFoot": 1200.0 / 3937, "Yard": 0.9144,
	}
	prefixed(m, "meter", 1, "Centi", "Deca", "Deci", "Hecto", "Kilo", "Micro", "Milli", "Nano")
	prefixed(m, "lightYear", ly, "Kilo", "Mega")
	prefixed(m, "lightyear", ly, "Kilo", "Mega")
	prefixed(m, "parsec", pc, "Kilo", "Mega")
	return m
}

func masses() map[string]float64 { // kilograms
	const lb, long, short = 0.45359237, 1016.0469088, 907.18474
	m := map[string]float64{
		"Gram": 1e-3, "Kilogram": 1, "EarthMass": 5.9722e24, "Grain": lb / 7000, "Pound": lb, "Ounce": lb / 16, "Tonne": 1000, "LongHundredweight": 50.80234544, "LongTon": long, "ShortHundredweight": 45.359237, "ShortTon": short,
		"Slug": 14.593902937206364829396325459318, "SolarMass": 1.98947e30, "Stone": 14 * lb,
	}
	prefixed(m, "gram", 1e-3, "Centi", "Deca", "Deci", "Hecto", "Kilo", "Micro", "Milli", "Nano")
	prefixed(m, "pound", lb, "Kilo", "Mega")
	prefixed(m, "tonne", 1000, "Kilo", "Mega")
	return m
}

func speeds() map[string]float64 { // metres a second
	m := map[string]float64{"Knot": 1852.0 / 3600, "MilePerHour": 0.44704}
	per := func(name string, metres float64, hour bool) {
		m[name+"PerMinute"] = metres / 60
		m[name+"PerSecond"] = metres
		if hour {
			m[name+"PerHour"] = metres / 3600
		}
	}
	per("Centimeter", 1e-2, true)
	per("Decimeter", 1e-1, false)
	per("Foot", 0.3048, true)
	per("Inch", 2.54e-2, true)
	per("Kilometer", 1e3, true)
	per("Meter", 1, true)
	per("Micrometer", 1e-6, false)
	per("Millimeter", 1e-3, true)
	per("Nanometer", 1e-9, false)
	per("UsSurveyFoot", 1200.0/3937, true)
	per("Yard", 0.9144, true)
	return m
}

func volumes() map[string]float64 { // cubic metres
	const foot, usGallon, gallon = 0.0283168, 0.00378541, 0.00454609000000181429905810072407
	m := map[string]float64{
		// The acre-foot is the rounded one that Kusto counts with.
		"AcreFoot": 1 / 0.000810714, "AuTablespoon": 2e-5, "BoardFoot": 2.3597372158e-3, "CubicFoot": foot, "CubicInch": 1.6387 * 1e-5, "CubicMeter": 1, "CubicMile": 4.16818182544058e9, "CubicYard": 0.764555,
		"ImperialBeerBarrel": 0.16365924, "ImperialGallon": gallon, "ImperialOunce": 2.8413062499962901241875439064617e-5, "ImperialPint": 5.6826125e-4, "Liter": 1e-3, "MetricCup": 2.5e-4, "MetricTeaspoon": 5e-6, "OilBarrel": 0.158987294928,
		"UkTablespoon": 1.5e-5, "UsBeerBarrel": 0.1173477658, "UsCustomaryCup": 0.0002365882365, "UsGallon": usGallon, "UsLegalCup": 2.4e-4, "UsOunce": 2.957352956253760505068307980135e-5, "UsPint": 4.73176473e-4, "UsQuart": 9.46352946e-4,
		"UsTablespoon": 1.478676478125e-5, "UsTeaspoon": 4.92892159375e-6,
	}
	for name, v := range map[string]float64{"Centi": 1e-6, "Deci": 1e-3, "Hecto": 1e6, "Kilo": 1e9, "Micro": 1e-18, "Milli": 1e-9} {
		m["Cubic"+name+"meter"] = v
	}
	prefixed(m, "liter", 1e-3, "Centi", "Deca", "Deci", "Hecto", "Kilo", "Mega", "Micro", "Milli")
	prefixed(m, "usGallon", usGallon, "Deca", "Deci", "Hecto", "Kilo", "Mega")
	prefixed(m, "cubicFoot", foot, "Hecto", "Kilo", "Mega")
	prefixed(m, "cubicMeter", 1, "Hecto", "Kilo")
	prefixed(m, "imperialGallon", gallon, "Kilo", "Mega")
	return m
}

// scaleOf is how a scale of temperature lies to kelvin.
type scaleOf struct{ scale, zero float64 }

func temperature(unit string) (scaleOf, bool) {
	s, ok := map[string]scaleOf{
		"Kelvin": {1, 0}, "DegreeCelsius": {1, 273.15}, "MillidegreeCelsius": {1e-3, 273.15}, "DegreeDelisle": {-2.0 / 3, 373.15}, "DegreeFahrenheit": {5.0 / 9, 459.67 * 5 / 9}, "DegreeNewton": {100.0 / 33, 273.15},
		"DegreeRankine": {5.0 / 9, 0}, "DegreeReaumur": {1.25, 273.15}, "DegreeRoemer": {40.0 / 21, 273.15 - 7.5*40/21}, "SolarTemperature": {5778, 0},
	}[unit]
	return s, ok
}
