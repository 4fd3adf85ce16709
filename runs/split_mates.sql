-- Which runs share a split and may be compared?
SELECT m.split_id, s.op, s.p, s.train_fraction, s.n_train, substr(s.sha256, 1, 8) AS split,
       m.run_a, m.name_a, m.method_a, m.run_b, m.name_b, m.method_b
FROM split_mates m JOIN split s ON s.id = m.split_id
ORDER BY m.split_id, m.run_a, m.run_b;
