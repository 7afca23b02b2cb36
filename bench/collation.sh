#!/usr/bin/env bash
# The full collation: every implementation on every unique layer of all networks in data/nets, f32, one thread, batch 1, three
# times; then what was cut off, who wins, and the leave-one-network-out validation. Writes Markdown to standard output (docs/collation.md is that).
#     bench/collation.sh [STORE] [PRECISION] [BUILD]
# STORE (default out/collation.db) is made anew; keep the machine idle. REPEATS: how many times, 0 = tell of the STORE that is there.
# LEARNERS: those validated. Needs the sqlite3 shell.
set -eu
cd "$(dirname "$0")/.."
store=${1:-out/collation.db} precision=${2:-f32} build=${3:-build/release}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
mkdir -p "$(dirname "$store")"
repeats=${REPEATS:-3}
[ "$repeats" = 0 ] || rm -f "$store" "$store-wal" "$store-shm" "$store-journal"
for ((i = 0; i < repeats; i++)); do
    "$build/convwise" measure --net all --precision "$precision" --threads 1 --store "$store" --again --json >"$store.json"
done
learners=()
for learner in ${LEARNERS:-tree regret-forest boost}; do learners+=(--learner "$learner"); done
sql() { sqlite3 -markdown "$store" "$1"; }

echo "# Full collation: $precision, one thread, batch 1, hot cache"
echo
echo "Made by \`./dev bench collation\`. Every time is of an output that was checked against the reference first;"
echo "[measuring.md](measuring.md) tells how times are taken. Machine:"
echo
echo '```'
"$build/convwise" doctor | sed -n '/^CPU/,/^Fingerprint/p'
echo "Load         $(sqlite3 "$store" "SELECT group_concat(substr(load, 1, instr(load, ' ') - 1), ', ') FROM
    (SELECT json_extract(conditions, '\$.load_average') || ' ' AS load FROM run ORDER BY id)") over a minute, when each measuring began"
"$build/convwise" doctor | sed -n '/^BACKEND/,/^libxsmm/p' | awk 'NR > 1 && $1 !~ /null|ref/' |
    sed -E 's/( +[0-9]+){6} *$//; s/^([a-z]+) +/Backend      \1 /'
echo '```'
echo
echo "$(sql 'SELECT count(*) FROM problem' | tail -n 1 | tr -d '| ') unique layers of $(ls data/nets/*.txt | wc -l) networks, measured" \
    "$(sql 'SELECT count(*) FROM run' | tail -n 1 | tr -d '| ') times ([the fastest counts](adr/0008-the-fastest-repeat-counts.md)); the last took" \
    "$(sql "SELECT printf('%d min %d s', s / 60, s % 60) FROM (SELECT (max(m.created) - min(m.created)) / 1000 AS s FROM measurement m
            WHERE m.run = (SELECT max(id) FROM run))" | tail -n 1 | tr -d '|' | sed 's/^ *//;s/ *$//');" \
    "the store has $(($(stat -Lc %s "$store") / 1024)) KiB and" \
    "$(sql 'SELECT count(*) FROM measurement' | tail -n 1 | tr -d '| ') results. The last results:"
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
sql "WITH timed AS (SELECT problem, impl, family, min(time_ns + src_reorder_ns + dst_reorder_ns) AS t FROM (
                      SELECT p.text AS problem, impl.name AS impl, impl.family, m.* FROM measurement m JOIN problem p ON p.id = m.problem
                      JOIN impl ON impl.id = m.impl WHERE candidate AND state = 'ok') GROUP BY problem, impl),
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
"$build/convwise" validate --store "$store" --precision "$precision" --split network "${learners[@]}"
echo '```'
