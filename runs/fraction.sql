-- How does the final test accuracy of each learner grow with the train fraction?
SELECT r.method, CASE r.method WHEN 'rfm' THEN (SELECT value FROM param WHERE run_id = r.run_id AND key = 'kernel') END AS kernel,
       (SELECT value FROM param WHERE run_id = r.run_id AND key = 'features') AS features,
       r.op, r.p, r.train_fraction, count(*) AS runs, round(avg(r.test_accuracy), 4) AS test_accuracy,
       round(min(r.test_accuracy), 4) AS least, round(max(r.test_accuracy), 4) AS most
FROM run_summary r
WHERE r.status = 'finished'
GROUP BY r.method, kernel, features, r.op, r.p, r.train_fraction
ORDER BY r.method, kernel, features, r.op, r.p, r.train_fraction;
