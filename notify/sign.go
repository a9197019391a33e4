package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"glassward"
)

// signature signs a webhook call as Standard Webhooks 1.0 does: for each key
// "v1," and the base64 of HMAC-SHA256 over id.timestamp.body, separated by
// blanks. Several keys let a receiver change from one to the next.
func signature(keys [][]byte, id string, at time.Time, body []byte) string {
	parts := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		mac.Write(body)
		parts[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(parts, " ")
}

// signingKeys reveals the signing secrets.
func signingKeys(secrets []glassward.Secret) ([][]byte, error) {
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		text, err := s.Reveal()
		if err != nil {
			return nil, err
		}
		if keys[i], err = parseSigningKey(text); err != nil {
			return nil, errors.New("signing secret " + string(s) + ": " + err.Error())
		}
	}
	return keys, nil
}

// parseSigningKey reads "whsec_" and the base64 of 24 to 64 bytes. Its errors
// do not hold the text.
func parseSigningKey(text string) ([]byte, error) {
	b64, ok := strings.CutPrefix(text, "whsec_")
	if !ok {
		return nil, errors.New("must begin with whsec_; make one by: echo whsec_$(head -c 32 /dev/urandom | base64)")
	}
	key, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		if key, err = base64.RawStdEncoding.DecodeString(b64); err != nil {
			return nil, errors.New("is not base64 after whsec_")
		}
	}
	if len(key) < 24 || len(key) > 64 {
		return nil, errors.New("must hold 24 to 64 bytes, holds " + strconv.Itoa(len(key)))
	}
	return key, nil
}
