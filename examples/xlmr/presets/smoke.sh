# Every step but fine-tuning, from a tiny XLM-R of random weights, on two invented languages: what the tests run.
XLMR=$WORK/toy/xlmr CHECKSUMS=$WORK/toy/SHA256SUMS PRECISION=--cpu
TOKENIZED_en=$WORK/toy/en/text.txt TOKENIZED_fr=$WORK/toy/fr/text.txt SPLIT=50 LEXICON_FLAGS=
LEXICON_fr=$WORK/toy/words.tsv HELDOUT_fr=$WORK/toy/heldout.tsv
LAYERS=2 DIM=16 HEADS=2 TOKENS=40 ALIGN_PAIRS=16 LAYER=1 LOGITS_CHUNK=8
BATCH=8 UPDATE_FREQ=1 UPDATES=3 WARMUP=1 LR=1e-3
source "$HERE/presets/field.sh"

cells() {
    echo "align_mlm fr TASKS="
}
