package rule

// Update is the flag by which tests rewrite the expected parts of testdata.
var Update = update
