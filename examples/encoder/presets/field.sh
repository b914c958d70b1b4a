# Continued pre-training with the settings of InfoXLM and XLM-Align: 2,048 items of 512 tokens an update, on eight GPUs.
# Give the data of SOURCE and TARGETS in the variables of ../../natural/prepare.sh: TOKENIZED_en, LEXICON_fr, ...
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
GRID=${GRID:-${TARGETS// /,}} OBJECTIVES=${OBJECTIVES:-mlm align_mlm} SEEDS=${SEEDS:-1} JOBS=${JOBS:-1}
XNLI_FLAGS=${XNLI_FLAGS---tokenized}   # XLM-R has learnt raw text: nothing is tokenised before SentencePiece
LAYERS=${LAYERS:-12} DIM=${DIM:-768} HEADS=${HEADS:-12}   # large: 24 1024 16
TOKENS=${TOKENS:-512} POSITIONS=${POSITIONS:-$TOKENS}
BATCH=${BATCH:-16} UPDATE_FREQ=${UPDATE_FREQ:-16}   # 16 items x 16 batches x 8 GPUs = 2,048
UPDATES=${UPDATES:-200000} WARMUP=${WARMUP:-10000} LR=${LR:-2e-4} DROPOUT=${DROPOUT:-0}
ADAM_BETAS=${ADAM_BETAS:-(0.9, 0.98)} WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}
PRECISION=${PRECISION---fp16 --fp16-init-scale 128}
LOGITS_CHUNK=${LOGITS_CHUNK:-0}
start="--update-freq $UPDATE_FREQ --adam-eps 1e-6"
PRETRAIN_FLAGS=${PRETRAIN_FLAGS-$start $PRECISION --logits-chunk $LOGITS_CHUNK}
ALPHA=${ALPHA:-0.7} LAYER=${LAYER:-7}

# XTREME's settings for PAN-X and UD; XLM-R's own for XNLI (fairseq issue 1367): 128 pairs, lr 5e-6 throughout, the
# best of up to thirty stretches of 5,000 updates, stopped when five bring nothing
TASKS=${TASKS-pos ner xnli}
EPOCHS=${EPOCHS:-10} TUNE_LR=${TUNE_LR:-2e-5} TUNE_BATCH=${TUNE_BATCH:-32} FINETUNE_FLAGS=${FINETUNE_FLAGS-$PRECISION}
EPOCHS_xnli=${EPOCHS_xnli:-50} TUNE_LR_xnli=${TUNE_LR_xnli:-5e-6} TUNE_SCHEDULE_xnli=${TUNE_SCHEDULE_xnli:-constant}
TUNE_BATCH_xnli=${TUNE_BATCH_xnli:-16}
stretches="--update-freq ${XNLI_UPDATE_FREQ:-8} --max-update 150000"
stretches+=" --patience 5 --save-interval-updates 5000 --keep-interval-updates 1"
FINETUNE_FLAGS_xnli=${FINETUNE_FLAGS_xnli-$PRECISION $stretches}
