"""Other people's viewers, written from the table: TensorBoard, W&B, MLflow, Optuna's dashboard.

Public: `follow.following` and `optuna_dashboard`.
"""
