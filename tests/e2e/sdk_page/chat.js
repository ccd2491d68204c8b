// What an application does with the JavaScript SDK, reduced to what the tests look at. Bundled with the unmodified package.
import { WKSDK, Channel, MessageText } from "wukongimjssdk/lib/sdk";

const events = [];

window.chat = {
  events,

  start(addr, uid, token, deviceFlag) {
    const sdk = WKSDK.shared();
    sdk.config.addr = addr;
    sdk.config.uid = uid;
    sdk.config.token = token;
    sdk.config.deviceFlag = deviceFlag;
    sdk.connectManager.addConnectStatusListener((status, reasonCode) =>
      events.push({ kind: "status", status, reasonCode }));
    sdk.chatManager.addMessageListener((message) =>
      events.push({
        kind: "message",
        text: message.content.text,
        fromUid: message.fromUID,
        channelId: message.channel.channelID,
        channelType: message.channel.channelType,
        messageId: String(message.messageID),
        messageSeq: message.messageSeq,
        clientMsgNo: message.clientMsgNo,
        redDot: message.header.reddot,
        mine: message.fromUID === uid && !message.messageSeq,
      }));
    sdk.chatManager.addCMDListener((message) =>
      events.push({ kind: "command", command: message.content.cmd, fromUid: message.fromUID }));
    sdk.chatManager.addMessageStatusListener((ack) =>
      events.push({
        kind: "sendack",
        clientSeq: ack.clientSeq,
        messageId: String(ack.messageID),
        messageSeq: ack.messageSeq,
        reasonCode: ack.reasonCode,
      }));
    sdk.connect();
  },

  async send(text, channelId, channelType) {
    const message = await WKSDK.shared().chatManager.send(new MessageText(text), new Channel(channelId, channelType));
    return { clientSeq: message.clientSeq, clientMsgNo: message.clientMsgNo };
  },

  status() {
    return WKSDK.shared().connectManager.status;
  },

  stop() {
    WKSDK.shared().disconnect();
  },
};
