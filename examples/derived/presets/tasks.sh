# NER (PAN-X), XNLI and POS from models of small.sh, one seed. A pair of XNLI needs more than 32 positions: the models have
# 128, learnt in 2,000 more updates.
source "$HERE/presets/small.sh"
RATES=0.5 SEEDS=1
POSITIONS=128 LONG_UPDATES=2000
TASKS=${TASKS:-ner xnli pos}
NER_TRAIN=$DATA_DIR/ner/panx-en-train.iob2.gz NER_VALID=$DATA_DIR/ner/panx-en-dev.iob2 NER_TEST=$DATA_DIR/ner/panx-en-test.iob2
XNLI_TRAIN="$DATA_DIR/xnli/nli-train-en.mnli-dev.tsv.gz $DATA_DIR/xnli/nli-train-en.cad.tsv.gz $DATA_DIR/xnli/nli-train-en.sick.tsv"
XNLI_VALID=$DATA_DIR/xnli/xnli-dev-en.tsv XNLI_TEST=$DATA_DIR/xnli/xnli-test-en.tsv
