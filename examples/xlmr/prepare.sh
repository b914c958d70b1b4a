#!/usr/bin/env bash
# Bring in XLM-R, then prepare the data of a study in its vocabulary.
# Usage: prepare.sh [--dry-run]. In: $XLMR, and the data in the variables of ../natural/prepare.sh.
# Out: $WORK/xlmr/{model.pt,dict.txt,spm.model}, $WORK/spm, and what ../natural/prepare.sh makes
set -euo pipefail
source "$(dirname "$0")/../common.sh"

export WORK=${WORK:-runs/xlmr}
XLMR=${XLMR:-FacebookAI/xlm-roberta-base}   # name on the hub, folder of Hugging Face, or fairseq's xlmr.base.tar.gz
IMPORT_FLAGS=${IMPORT_FLAGS-}        # e.g. --extend-vocab pieces.txt --extend-lexicon words.tsv
CHECKSUMS=${CHECKSUMS-}              # lines of sha256sum over what was downloaded; they are checked first

[ -z "${CHECK-}" ] || exec bash "$EXAMPLES/natural/prepare.sh"
[ -z "$CHECKSUMS" ] || sha256sum --check --quiet "$CHECKSUMS"
mkdir -p "$WORK/spm"
# shellcheck disable=SC2086  # flags
[ -e "$WORK/xlmr" ] || fairseq-align import "$XLMR" "$WORK/xlmr" $IMPORT_FLAGS
cp "$WORK/xlmr/dict.txt" "$WORK/xlmr/spm.model" "$WORK/spm/"
bash "$EXAMPLES/natural/prepare.sh"
