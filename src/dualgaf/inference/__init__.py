"""What a trained network is used for: its checkpoint, predictions, attribution, export."""
