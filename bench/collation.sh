#!/usr/bin/env bash
# The full collation: every implementation on every unique layer of all networks in data/nets, f32, one thread, batch 1; then what
# was cut off, who wins, and the leave-one-network-out validation. Writes Markdown to standard output (docs/collation.md is that).
#     bench/collation.sh [STORE] [PRECISION] [BUILD]
# STORE (default out/collation.db) is made anew; keep the machine idle. Needs the sqlite3 shell.
set -eu
cd "$(dirname "$0")/.."
store=${1:-out/collation.db} precision=${2:-f32} build=${3:-build/release}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
mkdir -p "$(dirname "$store")"
rm -f "$store" "$store-wal" "$store-shm" "$store-journal"
start=$(date +%s)
"$build/convwise" measure --net all --precision "$precision" --threads 1 --store "$store" --json >"$store.json"
seconds=$(($(date +%s) - start))
sql() { sqlite3 -markdown "$store" "$1"; }

echo "# Full collation: $precision, one thread, batch 1, hot cache"
echo
echo "Made by \`./dev bench collation\`. Every time is of an output that was checked against the reference first;"
echo "[measuring.md](measuring.md) tells how times are taken. Machine:"
echo
echo '```'
"$build/convwise" doctor | sed -n '/^CPU/,/^Fingerprint/p;/^Conditions/p'
"$build/convwise" doctor | sed -n '/^BACKEND/,/^onednn/p' | awk 'NR > 1 && $1 !~ /null|ref/' |
    sed -E 's/( +[0-9]+){6} *$//; s/^([a-z]+) +/Backend      \1 /'
echo '```'
echo
echo "$(sql 'SELECT count(*) FROM problem' | tail -n 1 | tr -d '| ') unique layers of $(ls data/nets/*.txt | wc -l) networks took" \
    "$((seconds / 60)) min $((seconds % 60)) s; the store has $(($(stat -c %s "$store") / 1024)) KiB and" \
    "$(sql 'SELECT count(*) FROM measurement' | tail -n 1 | tr -d '| ') results:"
echo
sql "SELECT backend, state, count(*) AS results FROM latest GROUP BY backend, state ORDER BY 1, 2"
echo
echo "## Cut off"
echo
echo "Timing stops early where an implementation is clearly slower than the best so far. Share of its results that were cut off:"
echo
sql "SELECT impl, sum(state = 'cut off') AS 'cut off', count(*) AS of,
            printf('%.0f %%', 100.0 * sum(state = 'cut off') / count(*)) AS share
     FROM latest WHERE state IN ('ok', 'cut off') AND candidate GROUP BY impl HAVING sum(state = 'cut off') > 0 ORDER BY 2 DESC"
echo
if [ "$(sql "SELECT count(*) FROM latest WHERE state IN ('failed', 'wrong', 'no memory')" | tail -n 1 | tr -d '| ')" != 0 ]; then
    echo "## Failed or wrong"
    echo
    sql "SELECT impl, state, count(*) AS layers, max(error) AS 'largest error', min(detail) AS detail FROM latest
         WHERE state IN ('failed', 'wrong', 'no memory') GROUP BY impl, state"
    echo
fi
echo "## Who wins"
echo
echo "Layers on which each is the fastest, reorders to and from NHWC charged, and the median of the second best over it:"
echo
sql "WITH timed AS (SELECT problem, impl, family, time_ns + src_reorder_ns + dst_reorder_ns AS t FROM latest
                    WHERE candidate AND state IN ('ok', 'cut off')),
          ranked AS (SELECT *, row_number() OVER (PARTITION BY problem ORDER BY t) AS place FROM timed),
          won AS (SELECT a.impl, a.family, b.t / a.t AS lead FROM ranked a LEFT JOIN ranked b ON b.problem = a.problem AND b.place = 2
                  WHERE a.place = 1),
          nth AS (SELECT *, row_number() OVER (PARTITION BY impl ORDER BY lead) AS i, count(*) OVER (PARTITION BY impl) AS n FROM won)
     SELECT impl, family, n AS layers, printf('%.2f', lead) AS 'second best' FROM nth WHERE i = (n + 1) / 2 ORDER BY n DESC"
echo
echo "## Learned choice, each network left out in turn"
echo
echo "[validating.md](validating.md) explains the table."
echo
echo '```'
"$build/convwise" validate --store "$store" --precision "$precision" --split network
echo '```'
