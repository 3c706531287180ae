"""Where torch begins: batches, the dataset, drawing on the device, the Lightning DataModule."""
