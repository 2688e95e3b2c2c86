# Varnish in front of the site: pages stay for a day, unless a tag of theirs is purged.
vcl 4.1;

import xkey;

backend default {
    .host = "127.0.0.1";
    .port = "8000";
}

acl purgers {
    "127.0.0.1";
    "::1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(403, "Forbidden"));
        }
        return (synth(200, "Purged " + xkey.purge(req.http.xkey)));
    }
}

sub vcl_backend_response {
    # Missing pages as well: their tags bring them back.
    set beresp.ttl = 1d;
    # A purged page is never served again, not even while a new one is fetched.
    set beresp.grace = 0s;
    set beresp.keep = 0s;
}

sub vcl_deliver {
    set resp.http.x-cache = obj.hits;
    unset resp.http.xkey;
}
