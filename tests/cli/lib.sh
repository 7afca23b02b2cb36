# What the scripts of command-line tests share; sourced first, from the source folder. Afterwards the working folder is a new
# one that is removed at the end, and $bad says whether anything was complained of.
set -u
convwise=$CW_BUILD/convwise
nets=$PWD/data/nets
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
complain() { echo "$*"; bad=1; }
is() { [ "$1" = "$2" ] || complain "\"$1\" is not \"$2\""; }
json() { python3 -c "import json,sys; d=json.load(open('$1')); print($2)" || complain "$1 is not the JSON it should be: $2"; }
# code text command...: the command exits with code, says text on standard error, and prints nothing
refused() {
    local code=$1 text=$2
    shift 2
    "$@" >out 2>err
    [ $? -eq "$code" ] || complain "$*: does not exit with $code"
    grep -q -- "$text" err || complain "$*: does not say \"$text\": $(cat err)"
    [ -s out ] && complain "$*: prints: $(cat out)"
}
