# ruff: noqa: E501 - a command is a line
"""Command lines as people type them: what our command makes of each is what curl makes of it.

A line is a shell script; `$curl` is the client, `$http` and `$https` the web site of
`tests/fakes/web_site.py` (`$hostport` and `$port` parts of it), `$ca` its
authority, `$free` a port where nothing listens, `$key` a word that differs from
client to client, and the folder it runs in holds `FILES`.
"""

from __future__ import annotations

FILES: dict[str, bytes] = {
    "data.json": b'{"a": [1, 2],\r\n "b": "\xc3\xa4"}\n',
    "form.txt": b"name=value&x=y\nsecond line\n",
    "upload.bin": bytes(range(256)) * 40,
    "part": b"line 0 of a page that is there to be fetched\n",
    "netrc": b"machine 127.0.0.1 login ann password secret\nmachine elsewhere login x password y\n",
    "urls.cfg": b'# two\nurl = "HTTP/small"\nsilent\noutput = "one"\n\nurl: HTTP/page\n-o two\n',
    "headers.txt": b"X-From-File: yes\nAccept: text/html\n",
    "jar": b"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\told\tvalue\n",
}

LINES = """\
$curl -fsSL $http/script | sh
$curl -fsSL $http/to/301/script | sh -s -- one two
$curl -sSf $http/status/404 | wc -c
$curl -s $http/small
$curl -sS $https/small --cacert $ca
$curl -k -s $https/small
$curl -s -L $http/to/302/small
$curl -s -L $http/chain/5 -o out -w '%{num_redirects} %{url_effective}\\n'
$curl -s -L --max-redirs 3 -S $http/chain/5
$curl -s $http/to/302/small
$curl -sS -f $http/status/500
$curl -sS -f -o out $http/status/404; ls
$curl --fail-with-body -sS $http/status/403
$curl -s -o out $http/page
$curl -s -O $http/page
$curl -s -O $http/page -O $http/small; ls
$curl -s -OJ $http/named; ls
$curl -s -J -O --output-dir sub --create-dirs $http/named; ls sub
$curl -s --remote-name-all $http/page $http/small; ls
$curl -s -H 'X-Mine: 1' -H 'Accept:' -H 'User-Agent;' $http/echo
$curl -s -H @headers.txt $http/echo
$curl -s -X DELETE $http/echo
$curl -s -X PURGE $http/echo -d x
$curl -s -d a=1 -d b=2 $http/echo
$curl -s -d @form.txt $http/echo
$curl -s --data-binary @form.txt $http/echo
$curl -s --data-raw @form.txt $http/echo
$curl -s --data-urlencode 'a=b c&d' --data-urlencode '=x/y' --data-urlencode 'n@form.txt' $http/echo
$curl -s -G -d q=1 --data-urlencode 'r=a b' "$http/echo?z=0"
$curl -s --json '{"a":1}' $http/echo
$curl -s --json @data.json --json '{}' $http/echo
echo from stdin | $curl -s -d @- $http/echo
echo from stdin | $curl -s -T - $http/echo/
$curl -s -T upload.bin $http/echo/ | tail -c 10240 | cmp - upload.bin
$curl -s -T form.txt $http/no-expect
$curl -s -T '{form.txt,data.json}' $http/echo/
$curl -s -F name=value -F file=@form.txt -F 'f2=@data.json;type=application/json;filename=other' $http/echo | sed 's/--*[0-9a-f]\\{16\\}/BOUNDARY/'
$curl -s -F 'text=<form.txt' -F 'a="quo\\"ted";type=text/x' $http/echo | sed 's/--*[0-9a-f]\\{16\\}/BOUNDARY/'
$curl -s --form-string 'a=@b;type=c' $http/echo | sed 's/--*[0-9a-f]\\{16\\}/BOUNDARY/'
$curl -s -I $http/page
$curl -s -i $http/small
$curl -s -I -L $http/to/301/small
$curl -s -i $http/chunked
$curl -s -D head $http/small; cat head
$curl -s -D - -o /dev/null $http/page
$curl -s -w '%{http_code} %{size_download} %{content_type} %{method} %{num_connects}\\n' -o /dev/null $http/page
$curl -s -w '%{json}' -o /dev/null $http/small | sed 's/,"/\\n"/g' | grep -v -e time -e speed -e size_request -e curl_version -e port -e local -e conn_id -e xfer_id
$curl -s -w '@form.txt' -o /dev/null $http/small
$curl -s -u ann:secret $http/basic
$curl -s -u ann:wrong $http/basic -w '%{http_code}'
$curl -s --basic -u ann:secret $http/basic
$curl -s --digest -u ann:secret $http/digest
$curl -s --anyauth -u ann:secret $http/digest
$curl -s --anyauth -u ann:secret $http/basic
$curl -s --digest -u ann:wrong -i $http/digest
$curl -s -u ann:secret --digest -d posted=1 $http/digest
$curl -s "http://ann:secret@$hostport/basic"
$curl -s --oauth2-bearer TOKEN $http/echo
$curl -s --netrc-file netrc $http/basic
HOME=. ; cp netrc .netrc; export HOME; $curl -s -n $http/basic
$curl -s --netrc-optional -u ann:secret $http/basic
$curl -s -A 'agent/1' $http/echo
$curl -s -A '' $http/echo
$curl -s -e http://from.test/ $http/echo
$curl -s -e 'http://from.test/;auto' -L $http/to/302/echo
$curl -s --compressed $http/gzip
$curl -s --compressed -o out -w '%{size_download}' $http/gzip; cmp out out
$curl -s $http/deflate -H 'Accept-Encoding: deflate' | wc -c
$curl -s --compressed $http/deflate
$curl -s -r 0-9 $http/page
$curl -s -r -20 $http/page
$curl -s -r 10- $http/page | cksum
$curl -s -r 0-1,5-6 $http/page | wc -c
$curl -s -C 18000 $http/page
$curl -s -C - -o part $http/page; cat part | wc -c
$curl -s -C - -o new $http/page; cat new | wc -c
$curl -sS -C 1000000 -o part $http/page; cat part
$curl -s -b 'a=1; b=2' $http/echo
$curl -s -b jar $http/echo
$curl -s -c - $http/cookies
$curl -s -b jar -c jar2 $http/cookies $http/cookies/deep; cat jar2
$curl -s -b '' $http/cookies $http/cookies
$curl -s -z 'Mon, 02 Nov 2026 10:00:00 GMT' -o out -w '%{http_code}' $http/page; ls
$curl -s -z '2020-01-01' -o out -w '%{http_code}' $http/page
$curl -s -z '-2020-01-01' -o out -w '%{http_code}' $http/page
$curl -s --etag-save e $http/page -o out; $curl -s --etag-compare e -w '%{http_code}' $http/page -o out2; cat e; ls
$curl -s -R -O $http/page; stat -c %Y page
$curl -s $http/small $http/page -o one
$curl -s "$http/echo/[1-3]"
$curl -s "$http/echo/{a,b}[1-2]" -o 'f#1#2'; cat fa1 fb2
$curl -s -g "$http/echo/{a}"
$curl -s $http/small --next -d x=y $http/echo --next -I $http/small
sed -i s#HTTP#$http#  urls.cfg; $curl -K urls.cfg; cat one two
echo "url=$http/small" | $curl -s -K -
$curl -s --resolve some.test:$port:127.0.0.1 http://some.test:$port/echo
$curl -s --connect-to some.test:80:127.0.0.1:$port http://some.test/echo
$curl -s -x $http http://some.test/echo
$curl -s -x $http -U me:pw http://some.test/echo
http_proxy=$http $curl -s http://some.test/echo
http_proxy=$http no_proxy=127.0.0.1 $curl -s $http/echo
http_proxy=$http $curl -s --noproxy '*' $http/echo
$curl -s -p -x $http http://some.test/ -w '%{http_connect} %{http_code} %{exitcode}'
$curl -s -m 1 $http/slow
$curl -sS -m 1 $http/silent | cat
$curl -sS --connect-timeout 1 $http/small
$curl -sS --retry 2 --retry-delay 1 $http/flaky/$key-a
$curl -s --retry 1 $http/flaky/$key-b -w '%{num_connects} %{http_code}'
$curl -sS --retry 1 --retry-connrefused --retry-delay 1 http://127.0.0.1:$free/
$curl -sS http://127.0.0.1:$free/
$curl -sS http://no-such-host.invalid/
$curl -sS $https/small
$curl -sS $http/short -o out; cat out | wc -c
$curl -s $http/until-close | wc -c
$curl -sS nothing://x/
$curl -sS --proto =https $http/small
$curl -sS -L --proto-redir =https $http/to/302/small
$curl -sS --proto-default https $hostport/small
$curl -s --tlsv1.2 -k $https/small
$curl -s --tlsv1.3 -k $https/small
$curl -s --tls13-ciphers TLS_AES_128_GCM_SHA256 -k $https/small
$curl -s -4 http://localhost:$port/small
$curl -sS -6 http://127.0.0.1:$port/small
$curl -s --limit-rate 100k $http/page | wc -c
$curl -sS -y 1 -Y 1000 $http/slow -o out; cat out
$curl -sS --max-filesize 100 $http/page
$curl -s --no-buffer $http/page | cksum
$curl -s -q $http/small
$curl $http/page -o out 2>err; wc -l < err
$curl -# $http/page -o out 2>err; tail -c 20 err
$curl -s -S -o /nonexistent/out $http/small
$curl -s --create-dirs -o a/b/c $http/small; cat a/b/c
$curl -s --no-clobber -o part $http/small; ls; cat part
$curl -s --remove-on-error -o out $http/short; ls
$curl -s --stderr err -v $http/small -o out; wc -l < err
$curl -s --trace-ascii - $http/small -o out | grep '^== Info'
$curl -s --raw -i $http/chunked | tail -5
$curl -s --http1.0 $http/echo
$curl -s -0 $http/small -i
$curl -s --path-as-is $http/echo/../x
$curl -s $http/echo/../echo/./y
$curl -s --request-target /other $http/echo
$curl -s --url $http/small --url-query a=b
$curl -s --url-query 'a=b c' $http/echo?z
$curl -s --post301 -L -d x $http/to/301/echo
$curl -s -L -d x $http/to/301/echo
$curl -s -L -d x $http/to/303/echo
$curl -s -L -d x $http/to/307/echo
$curl -s -L -d x $http/to/308/echo
$curl -s -L -X PUT -d x $http/to/302/echo
$curl -s -L -u ann:secret "$http/to/302/x?url=http://localhost:$port/echo"
$curl -s -L --location-trusted -u ann:secret "$http/to/302/x?url=http://localhost:$port/echo"
$curl -s -L -H 'Cookie: a=1' -H 'Authorization: mine' "$http/to/302/x?url=http://localhost:$port/echo"
$curl -s --expect100-timeout 0.1 -T form.txt $http/echo/x
$curl -s -H 'Expect: 100-continue' -d @form.txt $http/echo
$curl -s -H 'Transfer-Encoding: chunked' -d @form.txt $http/echo
$curl -s --ignore-content-length $http/until-close | wc -c
$curl --version | head -c 5
$curl -sS $http/small -d x -T form.txt
$curl
$curl -sS
$curl -sS --no-such-option $http
$curl -sS -o
$curl -s -w '%header{x-two} %{header_json}' -o /dev/null $http/small
"""
