#!/usr/bin/env bash
# Packs the providers benchmark into one archive that runs without installing anything: this Node,
# onnxruntime-node for this platform (with the CUDA libraries where they were installed), and the
# benchmark as two files of JavaScript.
#
#     bench/pack.sh providers.tar.xz     (Linux and macOS; about 40 MB without CUDA's libraries)
#
# There: tar xf providers.tar.xz && providers/run sd15 --sizes 512,1024
set -euo pipefail

out=$(realpath "${1:?the archive to write}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
pack=$folder/providers
mkdir -p "$pack/node_modules/onnxruntime-node" "$pack/support"

bundle=(npx --no-install esbuild --bundle --platform=node --format=esm --target=node20 --external:onnxruntime-node --log-level=warning)
(
  cd bench
  printf '%s\n' "import { benchProviders } from './providers.bench.ts';" \
    'await benchProviders(process.argv.slice(2));' 'process.exit();' |
    "${bundle[@]}" --loader=ts --outfile="$pack/providers.js"
  "${bundle[@]}" support/time-unet.ts --outfile="$pack/support/time-unet.js"
)
cp bench/support/torch_unet.py "$pack/support/"
printf '{"type":"module"}\n' >"$pack/package.json"

platform=$(node -p '`${process.platform}/${process.arch}`')
cp -r node_modules/onnxruntime-common "$pack/node_modules/"
cp -r node_modules/onnxruntime-node/{package.json,dist} "$pack/node_modules/onnxruntime-node/"
mkdir -p "$pack/node_modules/onnxruntime-node/bin/napi-v6/$platform"
cp -r "node_modules/onnxruntime-node/bin/napi-v6/$platform/." "$pack/node_modules/onnxruntime-node/bin/napi-v6/$platform/"
cp "$(node -p process.execPath)" "$pack/node"
cat >"$pack/run" <<'RUN'
#!/usr/bin/env bash
cd "$(dirname "${BASH_SOURCE[0]}")" && exec ./node providers.js "$@"
RUN
chmod +x "$pack/run" "$pack/node"

tar -C "$folder" -c providers | xz -3 -T0 >"$out"
ls -l "$out"
