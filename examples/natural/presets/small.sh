# English and French on two cores: novels, FreeDict and xling-eval, UD; docs/results.md has the results.
data=${FAIRSEQ_ALIGN_DATA:-../shared/data}
SOURCE=${SOURCE:-en} TARGETS=${TARGETS:-fr}
texts=$data/text ud=$data/ud words=$data/dictionaries tables=$data/parallel
TEXT_en=${TEXT_en-$texts/en.novels.txt.gz} TOKENIZED_en=${TOKENIZED_en-$texts/en.wikitext2.txt.gz}
TEXT_fr=${TEXT_fr-$texts/fr.novels.txt.gz}
TEXT_ar=${TEXT_ar-$texts/ar.hindawi.txt.gz}
TEXT_hi=${TEXT_hi-$texts/hi.wikipedia-mlqa.txt $texts/hi.libreoffice-help.txt}
POS_en=${POS_en-$ud/en_ewt-ud-train.conllu.gz $ud/en_ewt-ud-dev.conllu.gz $ud/en_ewt-ud-test.conllu.gz}
POS_fr=${POS_fr-- - $ud/fr_sequoia-ud-test.conllu}
POS_ar=${POS_ar-- - $ud/ar_padt-udpos-test.conllu}
POS_hi=${POS_hi-- - $ud/hi_hdtb-udpos-test.conllu}
LEXICON_fr=${LEXICON_fr-$words/en-fr.freedict.train.txt $words/en-fr.xling.train.txt}
LEXICON_ar=${LEXICON_ar-$words/en-ar.freedict.train.txt}
LEXICON_hi=${LEXICON_hi-$words/en-hi.muse.train.txt}
HELDOUT_fr=${HELDOUT_fr-$words/en-fr.freedict.test.txt}
HELDOUT_ar=${HELDOUT_ar-$words/en-ar.freedict.test.txt}
HELDOUT_hi=${HELDOUT_hi-$words/en-hi.muse.test.txt}
PARALLEL_fr=${PARALLEL_fr-$tables/quran.en-fr-ar.tsv.gz:1,2 $tables/libreoffice-help.en-fr.tsv:1,2}
PARALLEL_ar=${PARALLEL_ar-$tables/quran.en-fr-ar.tsv.gz:1,3 $tables/libreoffice-ui.en-ar.tsv:1,2}
PARALLEL_hi=${PARALLEL_hi-$tables/libreoffice-help.en-hi.tsv:1,2}
TATOEBA_fr=${TATOEBA_fr-$tables/tatoeba.en-fr.tsv:1,2}
TATOEBA_ar=${TATOEBA_ar-$tables/tatoeba.en-ar.tsv:1,2}
TATOEBA_hi=${TATOEBA_hi-$tables/tatoeba.en-hi.tsv:1,2}
GRID=${GRID:-${TARGETS// /,}} SEEDS=${SEEDS:-1 2 3}
contrastive="align_mlm ALIGN_LOSS=contrastive VARIANT=contrastive"
once="tlm SEED=1 dict_mlm SEED=1 align_mlm WEIGHT=10 VARIANT=weight-10 SEED=1"
OBJECTIVES=${OBJECTIVES:-mlm align_mlm $contrastive $once}
# of the alignment loss; with the 10 of the paper, whose dictionaries are one to one, the model learns no language
WEIGHT=${WEIGHT:-1}
VOCABULARY=${VOCABULARY:-8000} LAYERS=${LAYERS:-2} DIM=${DIM:-128} HEADS=${HEADS:-4} TOKENS=${TOKENS:-32}
BATCH=${BATCH:-32} UPDATES=${UPDATES:-8000} WARMUP=${WARMUP:-700} LR=${LR:-2e-3} DROPOUT=${DROPOUT:-0}
ADAM_BETAS=${ADAM_BETAS:-(0.9, 0.98)} WEIGHT_DECAY=${WEIGHT_DECAY:-0.01}   # unlike the paper
EPOCHS=${EPOCHS:-3} TUNE_LR=${TUNE_LR:-3e-4} TUNE_BATCH=${TUNE_BATCH:-32}
