# Continued pre-training with the settings of InfoXLM and XLM-Align: 2,048 items of 512 tokens an update, on eight GPUs.
# Give the data of SOURCE and TARGETS in the variables of ../natural/prepare.sh: TOKENIZED_en, LEXICON_fr, XNLI_fr, ...
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
XNLI_FLAGS=--tokenized               # XLM-R has learnt raw text: nothing is tokenised before SentencePiece
LAYERS=${LAYERS:-12} DIM=${DIM:-768} HEADS=${HEADS:-12} TOKENS=${TOKENS:-512} POSITIONS=${TOKENS:-512}   # large: 24 1024 16
BATCH=${BATCH:-16} UPDATE_FREQ=${UPDATE_FREQ:-16}   # 16 items x 16 batches x 8 GPUs = 2,048
UPDATES=${UPDATES:-200000} WARMUP=${WARMUP:-10000} LR=${LR:-2e-4} DROPOUT=0
PRECISION=${PRECISION---fp16 --fp16-init-scale 128}
PRETRAIN_FLAGS="--finetune-from-model $WORK/xlmr/model.pt --update-freq $UPDATE_FREQ --adam-eps 1e-6 $PRECISION"
PRETRAIN_FLAGS+=" --logits-chunk ${LOGITS_CHUNK:-0}"
ALPHA=0.7 LAYER=${LAYER:-7}
SEEDS=${SEEDS:-1}

# XTREME's settings for PAN-X and UD; XLM-R's own for XNLI (facebookresearch/fairseq#1367): 128 pairs, lr 5e-6 throughout,
# the best of up to thirty stretches of 5,000 updates, stopped when five bring nothing
tagging="TUNE_LR=2e-5 TUNE_BATCH=32 EPOCHS=10 FINETUNE_FLAGS=\"$PRECISION\""
xnli="TUNE_LR=5e-6 TUNE_BATCH=16 EPOCHS=50 FINETUNE_FLAGS=\"$PRECISION --update-freq ${XNLI_UPDATE_FREQ:-8}"
xnli+=" --lr-scheduler fixed --warmup-updates 0 --max-update 150000 --patience 5 --save-interval-updates 5000"
xnli+=" --keep-interval-updates 1\""

cells() {
    local seed objective
    for seed in $SEEDS; do
        for objective in mlm align_mlm; do
            echo "$objective ${TARGETS// /,} SEED=$seed TASKS=\"${TAGGING-pos ner}\" $tagging"
            echo "$objective ${TARGETS// /,} SEED=$seed TASKS=\"${SENTENCES-xnli}\" $xnli"
        done
    done
}
