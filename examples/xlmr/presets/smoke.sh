# Every step but fine-tuning, from a tiny XLM-R of random weights, on two invented languages: what the tests run.
toy=$WORK/toy
XLMR=${XLMR:-$toy/xlmr} CHECKSUMS=${CHECKSUMS-$toy/SHA256SUMS} PRECISION=${PRECISION---cpu}
TOKENIZED_en=${TOKENIZED_en:-$toy/en/text.txt} TOKENIZED_fr=${TOKENIZED_fr:-$toy/fr/text.txt} SPLIT=${SPLIT:-50}
LEXICON_fr=${LEXICON_fr:-$toy/words.tsv} HELDOUT_fr=${HELDOUT_fr:-$toy/heldout.tsv} LEXICON_FLAGS=${LEXICON_FLAGS-}
OBJECTIVES=${OBJECTIVES:-align_mlm} TASKS=${TASKS-}
LAYERS=${LAYERS:-2} DIM=${DIM:-16} HEADS=${HEADS:-2} TOKENS=${TOKENS:-40} LAYER=${LAYER:-1}
ALIGN_PAIRS=${ALIGN_PAIRS:-16} LOGITS_CHUNK=${LOGITS_CHUNK:-8}
BATCH=${BATCH:-8} UPDATE_FREQ=${UPDATE_FREQ:-1} UPDATES=${UPDATES:-3} WARMUP=${WARMUP:-1} LR=${LR:-1e-3}
source "$(dirname "${BASH_SOURCE[0]}")/field.sh"
