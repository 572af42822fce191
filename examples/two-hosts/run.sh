#!/bin/sh
# A coordinator and five participants as six processes, each with a folder of its own that stands for its host.
#
#   sh examples/two-hosts/run.sh [OUT]
#
# OUT (two-hosts-run unless given; it must not exist) gets model, ledger and the logs. Needs
# `cargo build --release --workspace --bins` first. PORT chooses another port than 7443, JOB another job file,
# PROGRAMS another folder with the programs.

set -eu

example=$(cd "$(dirname "$0")" && pwd)
table=$example/../bank-marketing/bank_marketing.csv.gz
job=${JOB:-$example/../bank-marketing/job.toml}
programs=${PROGRAMS:-$example/../../target/release}
port=${PORT:-7443}
out=${1:-two-hosts-run}
banks="bank_business bank_online bank_postal bank_retail bank_savings"

for program in syndic syndic-coordinator syndic-participant; do
    [ -x "$programs/$program" ] || {
        echo "there is no $programs/$program; run: cargo build --release --workspace --bins" >&2
        exit 2
    }
done
[ -r "$job" ] || {
    echo "the job file $job cannot be read" >&2
    exit 2
}
mkdir "$out"
# Every step runs in a folder of its own, so paths are made absolute first.
out=$(cd "$out" && pwd)
programs=$(cd "$programs" && pwd)
job=$(cd "$(dirname "$job")" && pwd)/$(basename "$job")
hosts=$(mktemp -d)
processes=

# Ends what was started, and only that; the hosts' folders go with it.
finish() {
    for process in $processes; do
        kill "$process" 2>/dev/null || true
    done
    wait
    rm -rf "$hosts"
}
trap finish EXIT
trap 'exit 130' INT TERM

step() {
    printf '\n== %s\n' "$1"
}

# Puts files on another host. Only public files ever travel.
send() {
    cp "$@"
}

step "operator: found the federation"
mkdir "$hosts/operator"
cd "$hosts/operator"
"$programs/syndic" federation init --name consumer_credit --dir federation --host "127.0.0.1:$port"

for bank in $banks; do
    step "$bank: make keys, ask for a certificate"
    mkdir "$hosts/$bank"
    cd "$hosts/$bank"
    "$programs/syndic-participant" keygen --name "$bank" --dir enrolment
    send "enrolment/$bank.request.json" "$hosts/operator/"
done

step "operator: certify the banks, show the roster"
cd "$hosts/operator"
for bank in $banks; do
    "$programs/syndic" federation add-participant --dir federation --csr "$bank.request.json"
    send "federation/members/$bank.bundle.json" "$hosts/$bank/"
done
"$programs/syndic" federation roster --dir federation
for bank in $banks; do
    send federation/roster.json "$hosts/$bank/"
done

for bank in $banks; do
    step "$bank: review the roster, sign it"
    cd "$hosts/$bank"
    "$programs/syndic-participant" endorse --dir enrolment --bundle "$bank.bundle.json" --roster roster.json
    send "enrolment/$bank.endorsement.json" "$hosts/operator/"
done

step "operator: seal the roster with all signatures"
cd "$hosts/operator"
"$programs/syndic" federation seal --dir federation --endorsement ./*.endorsement.json
for bank in $banks; do
    send federation/roster.sealed.json "$hosts/$bank/"
done

for bank in $banks; do
    step "$bank: pin the roster, start"
    cd "$hosts/$bank"
    "$programs/syndic-participant" pin --dir enrolment --roster roster.sealed.json
    send "$table" "$example/policy.toml" .
    sed "s/bank_savings/$bank/" "$example/participant.toml" > participant.toml
    "$programs/syndic-participant" run --config participant.toml 2> "$out/$bank.log" &
    processes="$processes $!"
done

step "operator: start, and wait until the job is over"
cd "$hosts/operator"
send "$job" job.toml
sed "s/7443/$port/" "$example/coordinator.toml" > coordinator.toml
"$programs/syndic-coordinator" run --config coordinator.toml 2> "$out/coordinator.log" &
coordinator=$!
participants=$processes
processes="$processes $coordinator"
ended=0
wait "$coordinator" || ended=$?
[ "$ended" -eq 0 ] || {
    tail -n 5 "$out/coordinator.log" >&2
    exit "$ended"
}
for process in $participants; do
    wait "$process" || {
        tail -n 5 "$out"/bank_*.log >&2
        exit 1
    }
done
processes=

step "bank_savings: what has left the building"
cd "$hosts/bank_savings"
"$programs/syndic-participant" journal --config participant.toml > "$out/bank_savings.journal.txt"
wc -l < "$out/bank_savings.journal.txt"

step "a reviewer: check the ledger, offline"
cp -R "$hosts/operator/publish/." "$out/"
key=$("$programs/syndic" federation roster --dir "$hosts/operator/federation" | awk '/^ledger key/ { print $3 }')
"$programs/syndic" ledger verify "$out/ledger" --key "$key"
printf '\nmodel, ledger and logs are in %s\n' "$out"
