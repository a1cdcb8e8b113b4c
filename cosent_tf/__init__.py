"""CoSENT, Sentence-BERT and Interact on Chinese sentence matching: what the three scripts share."""
