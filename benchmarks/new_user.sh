#!/usr/bin/env bash
# What it takes somebody who is new here to get a better model: clone, build the image, run it, ask the new model.
#
#     benchmarks/new_user.sh [REPOSITORY]
#
# REPOSITORY is this one if it is not given. The image is built with an empty cache, from a base image that is there or can be
# pulled (`.ci/base-image` makes one where there is no registry). Ends by printing one line with one JSON object: seconds for
# each step. Needs git and a running Docker engine.
set -euo pipefail

repository=$(realpath "${1:-$(dirname "$0")/..}")
image=localdistill:new-user
place=$(mktemp -d)
cleanup() {
    docker image rm "$image" >/dev/null 2>&1 || true
    rm -rf "$place"
}
trap cleanup EXIT
cd "$place"

now() { date +%s.%N; }
steps=()
# step NAME COMMAND...: do it, and note how long it took.
step() {
    local name=$1 begun seconds
    shift
    begun=$(now)
    "$@" >&2
    seconds=$(echo "$begun $(now)" | awk '{ printf "%.1f", $2 - $1 }')
    echo "new_user: $name took $seconds s" >&2
    steps+=("\"$name\": $seconds")
}

build() { localdistill/.ci/docker-build --no-cache --tag "$image" localdistill; }

# A folder of one's own: Docker would make it as root.
run() {
    mkdir ld
    docker run --rm --network none --volume "$PWD/ld:/data" "$image" run
}

ask() {
    docker run --rm --network none --volume "$PWD/ld:/data:ro" --entrypoint /opt/localdistill/bin/python "$image" -c '
import json
import llama_cpp
model = llama_cpp.Llama("/data/seed/rounds/01/model.gguf", n_ctx=512, verbose=False)
# The small seed model knows the functions of its own problem sets, so it is asked for one of those it was not trained on.
asked = json.loads(open("/data/seed/problems/eval.jsonl").readline())
message = {"role": "user", "content": asked["prompt"]}
answer = model.create_chat_completion([message], temperature=0.0)
text = answer["choices"][0]["message"]["content"]
print(asked["prompt"], text, sep="\n")
assert "def " + asked["entry_point"] + "(" in text
'
}

step clone git clone --quiet "$repository" localdistill
step build build
step run run
step answer ask
size=$(docker image inspect --format '{{ .Size }}' "$image")
printf '{%s, "image_bytes": %s, "cores": %s}\n' "$(IFS=,; echo "${steps[*]}" | sed 's/,"/, "/g')" "$size" "$(nproc)"
