"""From the corpus to the model's files: tokenizer, training, Hugging Face folder, GGUF."""
