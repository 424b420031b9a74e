"""Viewers by others, written from the table: TensorBoard, W&B, MLflow, Optuna's dashboard.

Public: `follow.following`; `require` and `write_new` of `log_writer`; `optuna_dashboard.Journal`.
"""
