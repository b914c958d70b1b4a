# NER (PAN-X), XNLI and POS from models of small.sh, one seed. A pair of XNLI needs more than 32 positions: the models
# have 128, learnt in 2,000 more updates.
RATES=${RATES:-0.5} SEEDS=${SEEDS:-1} TASKS=${TASKS-ner xnli pos}
POSITIONS=${POSITIONS:-128} LONG_UPDATES=${LONG_UPDATES:-2000}
source "$(dirname "${BASH_SOURCE[0]}")/small.sh"
NER_TRAIN=${NER_TRAIN:-$data/ner/panx-en-train.iob2.gz}
NER_VALID=${NER_VALID:-$data/ner/panx-en-dev.iob2}
NER_TEST=${NER_TEST:-$data/ner/panx-en-test.iob2}
nli=$data/xnli/nli-train-en
XNLI_TRAIN=${XNLI_TRAIN:-$nli.mnli-dev.tsv.gz $nli.cad.tsv.gz $nli.sick.tsv}
XNLI_VALID=${XNLI_VALID:-$data/xnli/xnli-dev-en.tsv}
XNLI_TEST=${XNLI_TEST:-$data/xnli/xnli-test-en.tsv}
