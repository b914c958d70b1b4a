#!/usr/bin/env bash
# Does install.sh mend an environment? Each pinned package is removed in turn, and has to be there after the next run.
# Then a download breaks off in the middle: nothing may be left running, and the next run has to finish.
#   bash tests/mend.sh                             all packages that install.sh brings, extras apart; new environment
#   VENV=DIR bash tests/mend.sh conllu torch       these, in an environment that install.sh has made
# Takes ten seconds a package on an idle core, a minute more for fairseq-fixed; prints a table.
set -euo pipefail

HERE=$(cd "$(dirname "$0")/.." && pwd)
WORK=$(mktemp -d)
trap 'kill "${server-}" 2> /dev/null || true; rm -rf "$WORK"' EXIT
export VENV=${VENV:-$WORK/environment}
BROKEN=sacremoses  # whose download breaks off: a wheel of about 1 MB
PY=$VENV/bin/python
pins=$(sed '/^# what the extra/,$d' "$HERE/constraints.txt" | grep ==)

install() { bash "$HERE/install.sh" > "$WORK/log" 2>&1; }
is_there() {                         # PACKAGE, in its pinned version
    "$PY" - "$(grep "^$1==" <<< "$pins")" 2> /dev/null <<'PYTHON'
import sys
from importlib.metadata import version

name, pinned = sys.argv[1].split("==")
sys.exit(version(name).partition("+")[0] != pinned)
PYTHON
}
row() { printf '| %s | %s | %s |\n' "$1" "$2" "$SECONDS"; }
remove() {
    "$PY" -m pip uninstall -qy "$1" 2>> "$WORK/log"
    ! is_there "$1"
}
wrong() {                            # PACKAGE WHAT
    row "$1" "$2"
    tail -n 3 "$WORK/log" >&2
    status=1
}

serve_half() {                       # WHEEL; prints the port
    exec "$PY" - "$1" <<'PYTHON'
import http.server, sys
from pathlib import Path

wheel = Path(sys.argv[1])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = f'<a href="/{wheel.name}">{wheel.name}</a>'.encode()
        content = wheel.read_bytes() if self.path.endswith(".whl") else page
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if content == page else "application/zip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if content == page else content[: len(content) // 2])

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
PYTHON
}

status=0
install || { wrong 'a new environment' 'not installed'; exit 1; }
printf '| %s | %s | %s |\n' removed result seconds --- --- ---:
[ "$#" -gt 0 ] || set -- $(cut -d= -f1 <<< "$pins")
for name; do
    SECONDS=0
    if ! remove "$name"; then wrong "$name" 'not removed'
    elif install && is_there "$name"; then row "$name" mended
    else wrong "$name" 'not mended'; fi
done

SECONDS=0
"$PY" -m pip download -q --no-deps --only-binary=:all: --dest "$WORK" "$(grep "^$BROKEN==" <<< "$pins")"
exec {port_of}< <(serve_half "$WORK/$BROKEN"-*.whl 2> "$WORK/served")
server=$!
read -r port <&"$port_of"
remove "$BROKEN"
# no other place to fetch it from, and no cache
if PIP_INDEX_URL=http://127.0.0.1:$port PIP_FIND_LINKS='' PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 install; then
    wrong "a download of $BROKEN" 'not broken'
elif pgrep -f "^$PY -m pip" > "$WORK/running"; then wrong "a download of $BROKEN" 'left running'
elif [ "$(grep -c '^error: ' "$WORK/log")" != 1 ]; then wrong "a download of $BROKEN" 'not told in one line'
elif install && is_there "$BROKEN"; then row "a download of $BROKEN" mended
else wrong "a download of $BROKEN" 'not mended'; fi
"$VENV/bin/fairseq-align" doctor > "$WORK/log" 2>&1 || wrong doctor 'finds something wrong'
exit "$status"
