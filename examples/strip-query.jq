# For rr-frame -F and rr redact -F: addresses without what follows ? or #, which
# may hold names, searches and tokens. Those of pages, links, pictures, and
# requests; an event without any keeps its very bytes.
def is_url: test("^(https?:|/)[^?#]*[?#]");
def keys_of_urls: ["href", "src", "action", "formaction", "poster", "name", "url"];

if any(.. | objects | .[keys_of_urls[]] | strings; is_url) then
	walk(if type == "object" then
		with_entries(if (.key | IN(keys_of_urls[])) and
		    (.value | type) == "string" and (.value | is_url)
		then .value |= sub("[?#].*"; "") else . end)
	else . end)
else . end
