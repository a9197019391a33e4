package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"glassward"
)

// identify fills in the record's tenant and Entra's own id, and refuses a record
// of another tenant.
func (e *engine) identify(b *binding, rec *glassward.Record) (reason string) {
	tenant := ""
	if b.tenant >= 0 {
		tenant = rec.Values[b.tenant].Str
	}
	if tenant == "" && b.shape != Columns {
		// In the form of Log Analytics TenantId is the workspace.
		tenant = e.knownText(0, wkTenantID)
	}
	if tenant == "" && b.shape == Management {
		tenant = e.knownText(0, wkOrganizationID)
	}
	resource := ""
	if b.shape == Diagnostic || b.shape == Columns {
		resource = resourceTenant(e.knownText(0, wkResourceID))
	}
	if tenant == "" && b.shape == Diagnostic {
		tenant = resource
	}
	want := e.options.Tenant
	if want != "" && resource != "" && !strings.EqualFold(resource, want) {
		tenant = resource
	}
	if tenant != "" {
		if tenant != e.tenant {
			e.tenant, e.tenantLower = strings.Clone(tenant), strings.ToLower(strings.Clone(tenant))
		}
		rec.Tenant = e.tenantLower
		if want != "" && !strings.EqualFold(tenant, want) {
			return "the record names the tenant " + strconv.Quote(shorten(tenant, 64)) + " and this source may give only records of " + want
		}
	}
	if b.shape == Management && rec.Tenant != "" && b.resourceID >= 0 && rec.Values[b.resourceID].Str == "" {
		rec.Values[b.resourceID] = glassward.String("/tenants/" + rec.Tenant + "/providers/Microsoft.aadiam")
	}
	if want != "" && b.shape == Graph {
		// Graph's entities do not say whose they are; the source does.
		rec.Tenant = strings.ToLower(want)
		if b.tenant >= 0 && rec.Values[b.tenant].Str == "" {
			rec.Values[b.tenant] = glassward.String(want)
		}
		if b.resourceID >= 0 && rec.Values[b.resourceID].Str == "" {
			rec.Values[b.resourceID] = glassward.String("/tenants/" + want + "/providers/Microsoft.aadiam")
		}
	}
	if b.tenant >= 0 && rec.Values[b.tenant].Str == "" && rec.Tenant != "" && b.shape == Diagnostic {
		rec.Values[b.tenant] = glassward.String(rec.Tenant)
	}
	for _, alternative := range b.identity {
		if v := &rec.Values[alternative[0]]; v.Str != "" {
			rec.EntraID = v.Str
			break
		}
	}
	return ""
}

// resourceTenant gives the tenant in /tenants/<id>/providers/….
func resourceTenant(id string) string {
	const prefix = "/tenants/"
	if len(id) < len(prefix) || !strings.EqualFold(id[:len(prefix)], prefix) {
		return ""
	}
	tenant, _, _ := strings.Cut(id[len(prefix):], "/")
	return tenant
}

// id gives the record's identity: table and Entra's own id, or table and content.
func (e *engine) id(b *binding, rec *glassward.Record, noTime bool) (id glassward.RecordID) {
	if b.shape == Columns && e.options.Provenance == glassward.File && e.has(0, wkItemID, wkProvenance) {
		// The operator gives what Glassward exported. A record whose id came from a
		// form that its columns no longer show would be another one otherwise. Log
		// Analytics has an _ItemId of its own, and no _Provenance.
		if own, ok := parseItemID(e.knownText(0, wkItemID)); ok {
			return own
		}
	}
	h := append(e.hashBuf[:0], rec.Table...)
	h = append(h, 0)
	if b.shape == Management && b.only {
		// The Management Activity API has ids of its own, which may look like those
		// of the other roads, and tells less of an event: its record stands beside
		// that of another road and never replaces it. OfficeActivity has only this
		// space of ids.
		h = append(h, "\x00management\x00"...)
	}
	if rec.EntraID != "" {
		for _, alternative := range b.identity {
			if rec.Values[alternative[0]].Str == "" {
				continue
			}
			h = append(h, rec.EntraID...)
			for _, i := range alternative[1:] {
				h = append(h, 0)
				if i == b.time && noTime {
					continue
				}
				h = appendCell(h, &rec.Values[i])
			}
			break
		}
	} else {
		for i := range rec.Values {
			v := &rec.Values[i]
			if v.Kind == glassward.KindNull || v.Kind == glassward.KindString && v.Str == "" || i == b.time && noTime {
				continue
			}
			h = append(h, b.table.Columns[i].Name...)
			h = append(h, 0)
			h = appendCell(h, v)
			h = append(h, 0)
		}
		h = append(h, rec.Extra...)
	}
	e.hashBuf = h
	sum := sha256.Sum256(h)
	copy(id[:], sum[:])
	return id
}

// parseItemID reads an id as RecordID.String writes it.
func parseItemID(text string) (id glassward.RecordID, ok bool) {
	digits, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(digits) != len(id) || len(text) != 36 {
		return id, false
	}
	return glassward.RecordID(digits), true
}

func appendCell(h []byte, v *glassward.Value) []byte {
	switch v.Kind {
	case glassward.KindString:
		return append(h, v.Str...)
	case glassward.KindReal:
		return binary.BigEndian.AppendUint64(h, math.Float64bits(v.Real))
	}
	return strconv.AppendInt(h, v.Num, 10)
}
