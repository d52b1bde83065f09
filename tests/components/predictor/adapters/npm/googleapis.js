// googleapis builds its client from the discovery document at the address that is given.
const {google} = require("googleapis");

(async () => {
  const client = await google.discoverAPI(process.argv[2]);
  const requestBody = {comment: {text: "you idiot"}, requestedAttributes: {TOXICITY: {}}};
  const {data} = await client.comments.analyze({key: "any", requestBody});
  const suggested = {comment: {text: "nice day"}, attributeScores: {TOXICITY: {summaryScore: {value: 0}}}};
  const stored = await client.comments.suggestscore({key: "any", requestBody: {...suggested, clientToken: "t"}});
  let refused;
  try {
    await client.comments.analyze({key: "any", requestBody: {...requestBody, comment: {text: ""}}});
  } catch (error) {
    refused = {status: error.response.status, message: error.message};
  }
  console.log(JSON.stringify({analyzed: data, stored: stored.data, refused}));
})();
