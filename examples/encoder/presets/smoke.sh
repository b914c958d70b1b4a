# Every step but fine-tuning, from a tiny XLM-R of random weights, on two invented languages: what the tests run. The
# encoder is trained on with what suits it, its word embeddings are aligned alone, and both.
toy=$WORK/toy
ENCODER=${ENCODER:-$toy/xlmr} CHECKSUMS=${CHECKSUMS-$toy/SHA256SUMS} PRECISION=${PRECISION---cpu}
TOKENIZED_en=${TOKENIZED_en:-$toy/en/text.txt} TOKENIZED_fr=${TOKENIZED_fr:-$toy/fr/text.txt} SPLIT=${SPLIT:-50}
LEXICON_fr=${LEXICON_fr:-$toy/words.tsv} HELDOUT_fr=${HELDOUT_fr:-$toy/heldout.tsv} LEXICON_FLAGS=${LEXICON_FLAGS-}
alone="align_mlm PRETRAIN=align ORTHOGONAL=1 EXPORT= VARIANT=alone"
OBJECTIVES=${OBJECTIVES:-align_mlm $alone align_mlm PRETRAIN=align+train EXPORT= VARIANT=first} TASKS=${TASKS-}
LAYERS=${LAYERS:-2} DIM=${DIM:-16} HEADS=${HEADS:-2} TOKENS=${TOKENS:-40} LAYER=${LAYER:-1}
ALIGN_PAIRS=${ALIGN_PAIRS:-16} LOGITS_CHUNK=${LOGITS_CHUNK:-8}
BATCH=${BATCH:-8} UPDATE_FREQ=${UPDATE_FREQ:-1} UPDATES=${UPDATES:-3} WARMUP=${WARMUP:-1} LR=${LR:-1e-3}
parts="--optimizer adamw --freeze-layers 0 --layer-lr-decay 0.9 --head-warmup 1 --sparse-embeddings"
PRETRAIN_FLAGS=${PRETRAIN_FLAGS-$PRECISION --logits-chunk $LOGITS_CHUNK $parts --anchor $WORK/encoder/model.pt}
source "$(dirname "${BASH_SOURCE[0]}")/field.sh"
