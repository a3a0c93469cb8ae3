"""The result in the forms in which people use it: Ollama, LM Studio, a folder, an adapter."""
