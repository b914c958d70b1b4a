# What the studies share; sourced by their recipes. $WORK is the folder of the study, $CELL that of one of its models,
# the array `about` what is recorded beside the scores of that model.

need_files() {                       # NAME...: files in these variables have to be there, or are named all at once
    [[ -z $DRY_RUN && ! -e $WORK/data-bin/dict.txt ]] || return 0
    local name file missing=()
    for name; do
        # - stands for no file; "train" of XNLI is a,b,c, a table FILE:A,B
        for file in $(sed -E 's/:[0-9]+,[0-9]+( |$)/ /g; s/,/ /g' <<< "${!name-}"); do
            [[ $file = - || -e $file ]] || missing+=("$(printf '  %-12s %s' "$name" "$file")")
        done
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "found no file at ${#missing[@]} of the places that the settings of this study name:" >&2
    printf '%s\n' "${missing[@]}" >&2
    fail "expected text and labelled data there; docs/sources.md has the commands that fetch them," \
        "or give your own in these variables"
}

binarize() {                         # TEXT DATA SPLIT...: tokenised TEXT/SPLIT.txt -> DATA/SPLIT.{bin,idx}
    [ ! -e "$2" ] || return 0
    local split files=()
    for split in "${@:3}"; do
        python "$PREPROCESS/subword.py" apply --model "$WORK/spm/spm.model" \
            --input "$1/$split.txt" --output "$1/$split.sp"
        files+=("--${split}pref" "$1/$split.sp")
    done
    fairseq-preprocess --only-source --srcdict "$WORK/spm/dict.txt" --workers "${WORKERS:-2}" "${files[@]}" \
        --destdir "$2.part"
    mv "$2.part" "$2"
}

derived_language() {                 # TRANSFORMS, e.g. transliterate,invert: its name, en-transliterate+invert
    local name=$SOURCE-${1//,/+}
    [ "${OVERLAP:-0}" = 0 ] || name+=-overlap$OVERLAP
    echo "$name"
}

made() {                             # TASK LANGUAGE: a file that is there once the labelled data of LANGUAGE are made
    if [ "$1" = xnli ]; then echo "$WORK/xnli-bin/label/test_$2.idx"; else echo "$WORK/$1-bin/$2/test.idx"; fi
}

labelled_source() {                  # TASK TARGET: the language whose labelled data those of TARGET are derived from
    local lang=$SOURCE
    if [[ $2 = "$SOURCE-syntax+"* ]]; then
        lang=$SOURCE-syntax
        [[ -e $(made "$1" "$lang") || -e ${SYNTAX_TREES:+$SYNTAX_TREES/$1.train.conllu.gz} || -n ${PARSER-} ]] ||
            fail "$(made "$1" "$lang"): found no ${1^^} data in the word order of $lang, and no trees to" \
                "reorder them by, expected one of them for $2; set PARSER, or put $1.train.conllu.gz into" \
                "SYNTAX_TREES, or leave ${1^^} or this derivation out"
    fi
    echo "$lang"
}

syntax_orders() {                    # flags of the word orders that syntax.sh has learnt
    local name words
    for name in nouns verbs others; do
        words=$(of SYNTAX "${name^^}")
        [ -z "$words" ] || echo "--$name $WORK/syntax/$name.json"
    done
}

step() {                             # NAME COMMAND...: the command, once; its scores, $CELL/NAME.jsonl, mark it as done
    [ ! -e "$CELL/$1.jsonl" ] || return 0
    scores=$CELL/$1.jsonl.part
    mkdir -p "$CELL"
    rm -f "$scores"
    "${@:2}"
    [ -n "$DRY_RUN" ] || cat "$scores" >> "$WORK/results.jsonl"
    mv "$scores" "$CELL/$1.jsonl"
}

score() {                            # COMMAND...: of fairseq-align, inside a step
    fairseq-align "$@" "${about[@]}" --results "$scores"
}

finetune() {                         # TASK LANGUAGE SUBSETS [--freeze-embeddings]
    local tuned=$CELL/$1-$2${4-} data=$WORK/$1-bin
    TASK=$1 TUNE_DATA=$data SOURCE=$2 FREEZE=${4-} SAVE=$tuned bash "$EXAMPLES/derived/finetune.sh"
    score evaluate "$tuned/model.pt" "$data" --subset "$3"
}
