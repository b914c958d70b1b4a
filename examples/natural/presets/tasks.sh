# NER (PAN-X), XNLI and POS from models of small.sh, one seed. A pair of XNLI needs more than 32 positions: the models
# have 128, learnt in 2,000 more updates.
SEEDS=${SEEDS:-1} TASKS=${TASKS-ner xnli pos}
OBJECTIVES=${OBJECTIVES:-mlm align_mlm ALIGN_LOSS=contrastive VARIANT=contrastive}
POSITIONS=${POSITIONS:-128} LONG_UPDATES=${LONG_UPDATES:-2000}
source "$(dirname "${BASH_SOURCE[0]}")/small.sh"
panx=$data/ner/panx nli=$data/xnli/nli-train-en xnli=$data/xnli/xnli
NER_en=${NER_en-$panx-en-train.iob2.gz $panx-en-dev.iob2 $panx-en-test.iob2}
NER_fr=${NER_fr-- - $panx-fr-test.iob2}
NER_ar=${NER_ar-- - $panx-ar-test.iob2}
NER_hi=${NER_hi-- - $panx-hi-test.iob2}
XNLI_en=${XNLI_en-$nli.mnli-dev.tsv.gz,$nli.cad.tsv.gz,$nli.sick.tsv $xnli-dev-en.tsv $xnli-test-en.tsv}
XNLI_fr=${XNLI_fr-- - $xnli-test-fr.tsv}
XNLI_ar=${XNLI_ar-- - $xnli-test-ar.tsv.gz}
XNLI_hi=${XNLI_hi-- - $xnli-test-hi.tsv.gz}
