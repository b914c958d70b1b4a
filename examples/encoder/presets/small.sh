# Multilingual E5 small (12 layers of 384) on two cores in an evening, in English, French, Arabic and Hindi: the encoder
# as it was imported, trained on without and with the dictionary, and its word embeddings aligned alone. What is
# trained: all layers, rows of the table that a batch has, the new output layer first. The table learns slowly beside
# them, so that a loss that moves it has to come first; "contrastive" shows what happens without. Three seeds of two
# objectives, one of the others. ENCODER may be any encoder of that size, e.g. a folder.
data=${FAIRSEQ_ALIGN_DATA:-../shared/data}
texts=$data/text
ENCODER=${ENCODER:-intfloat/multilingual-e5-small} KEEP=${KEEP-1}
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr ar hi}
# raw text, which the encoder has learnt: its words stay as they stand
TEXT_en=${TEXT_en-} TEXT_fr=${TEXT_fr-} TEXT_ar=${TEXT_ar-} TEXT_hi=${TEXT_hi-}
TOKENIZED_en=${TOKENIZED_en-$texts/en.novels.txt.gz $texts/en.wikitext2.txt.gz}
TOKENIZED_fr=${TOKENIZED_fr-$texts/fr.novels.txt.gz}
TOKENIZED_ar=${TOKENIZED_ar-$texts/ar.hindawi.txt.gz}
TOKENIZED_hi=${TOKENIZED_hi-$texts/hi.wikipedia-mlqa.txt $texts/hi.libreoffice-help.txt}
PARALLEL_fr=${PARALLEL_fr-} PARALLEL_ar=${PARALLEL_ar-} PARALLEL_hi=${PARALLEL_hi-}
PARALLEL_FLAGS=${PARALLEL_FLAGS---tokenized} XNLI_FLAGS=${XNLI_FLAGS---tokenized}
first="align_mlm PRETRAIN=align+train ALIGN_LOSS=contrastive VARIANT=aligned-first"
once="mlm PRETRAIN=none VARIANT=imported SEED=1 align_mlm ALIGN_LOSS=contrastive VARIANT=contrastive SEED=1"
once+=" align_mlm PRETRAIN=align VARIANT=alone SEED=1 align_mlm PRETRAIN=align ORTHOGONAL=1 VARIANT=mapped-alone SEED=1"
OBJECTIVES=${OBJECTIVES:-mlm $first $once} SEEDS=${SEEDS:-1 2 3} JOBS=${JOBS:-2} EXPORT=${EXPORT-}
ALIGN_UPDATES=${ALIGN_UPDATES:-150}
LAYERS=${LAYERS:-12} DIM=${DIM:-384} HEADS=${HEADS:-12} TOKENS=${TOKENS:-64} POSITIONS=${POSITIONS:-$TOKENS}
LAYER=${LAYER:-12}
BATCH=${BATCH:-16} UPDATES=${UPDATES:-400} VALIDATIONS=${VALIDATIONS:-1}
WARMUP=${WARMUP:-60} LR=${LR:-2e-4} DROPOUT=${DROPOUT:-0}
HEAD_WARMUP=${HEAD_WARMUP:-$((UPDATES / 6))}
rates="--optimizer adamw --layer-lr-decay 0.9"
PRECISION=${PRECISION-}              # --autocast bf16: on a processor that multiplies in bfloat16, half the time
own="--max-positions 512 $PRECISION $rates --sparse-embeddings --head-warmup $HEAD_WARMUP"
PRETRAIN_FLAGS=${PRETRAIN_FLAGS-$own --logits-chunk 256}
# frozen word embeddings stay aligned, and half of the layers need no gradient
TASKS=${TASKS-pos ner xnli} TUNE=${TUNE:-frozen}
EPOCHS=${EPOCHS:-1} TUNE_BATCH=${TUNE_BATCH:-16} TUNE_LR=${TUNE_LR:-3e-4}
TUNE_UPDATES_pos=${TUNE_UPDATES_pos:-400} TUNE_UPDATES_ner=${TUNE_UPDATES_ner:-400}
EPOCHS_xnli=${EPOCHS_xnli:-1} TUNE_BATCH_xnli=${TUNE_BATCH_xnli:-32} TUNE_LR_xnli=${TUNE_LR_xnli:-2e-4}
XNLI_TOKENS=${XNLI_TOKENS:-128}
FINETUNE_FLAGS=${FINETUNE_FLAGS---max-positions 512 $PRECISION $rates --freeze-layers 0-5}
source "$(dirname "${BASH_SOURCE[0]}")/../../natural/presets/tasks.sh"
