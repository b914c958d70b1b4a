# NER (PAN-X), XNLI and POS from models of small.sh, one seed. A pair of XNLI needs more than 32 positions: the models have
# 128, learnt in 2,000 more updates.
source "$HERE/presets/small.sh"
SEEDS=1
POSITIONS=128 LONG_UPDATES=2000
TASKS=${TASKS:-ner xnli pos}
NER_en="$DATA_DIR/ner/panx-en-train.iob2.gz $DATA_DIR/ner/panx-en-dev.iob2 $DATA_DIR/ner/panx-en-test.iob2"
NER_fr="- - $DATA_DIR/ner/panx-fr-test.iob2"
NER_ar="- - $DATA_DIR/ner/panx-ar-test.iob2"
NER_hi="- - $DATA_DIR/ner/panx-hi-test.iob2"
XNLI=$DATA_DIR/xnli/nli-train-en
XNLI_en="$XNLI.mnli-dev.tsv.gz,$XNLI.cad.tsv.gz,$XNLI.sick.tsv $DATA_DIR/xnli/xnli-dev-en.tsv $DATA_DIR/xnli/xnli-test-en.tsv"
XNLI_fr="- - $DATA_DIR/xnli/xnli-test-fr.tsv"
XNLI_ar="- - $DATA_DIR/xnli/xnli-test-ar.tsv.gz"
XNLI_hi="- - $DATA_DIR/xnli/xnli-test-hi.tsv.gz"

cells() {
    local targets=${TARGETS// /,}
    echo "mlm $targets"
    echo "align_mlm $targets ALIGN_LOSS=contrastive VARIANT=contrastive"
}
